"""Parse the JSON verdict in a language model's reply and reject verdicts forged by the judged response."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from unmirage.text.replies import json_values, without_thoughts


def key_of(*parts: object) -> str:
    """Return a SHA-256 hash of `parts`, which identify a request and its judge."""
    return sha256(json.dumps(parts).encode()).hexdigest()


def code_of(key: str) -> str:
    """Return the code that a valid reply must contain.

    The code depends on a hash of the judged response, so the response itself cannot contain it.
    """
    return key[:8]


def read_coded(reply: str, code: str) -> list[dict[str, Any]]:
    """Return the JSON objects in a reply that contain the right `code`, and ignore all other text."""
    return [one for one in json_values(without_thoughts(reply), "{") if one.get("code") == code]


def the_one(values: Sequence[Any]) -> Any:
    """Return the common value if all values are equal; None if they differ or there are none."""
    return values[0] if values and all(value == values[0] for value in values) else None


def as_data(**fields: str) -> str:
    """Encode texts as one JSON object, so that their content cannot terminate the data block."""
    return json.dumps(fields, ensure_ascii=False)
