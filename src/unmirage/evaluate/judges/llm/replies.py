"""The reply of a language model in, the one JSON object that it was asked for out; a forged one does not count."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from unmirage.text.replies import json_values, without_thoughts


def key_of(*parts: object) -> str:
    """Return a hash of what a judge is asked, and of who is asked."""
    return sha256(json.dumps(parts).encode()).hexdigest()


def code_of(key: str) -> str:
    """Return what the judge has to give back.

    It is a hash of the answer under judgement, among other things, which that answer cannot hold.
    """
    return key[:8]


def read_coded(reply: str, code: str) -> list[dict[str, Any]]:
    """Return the JSON objects in a reply that hold the right `code`, whatever else the reply says or quotes."""
    return [one for one in json_values(without_thoughts(reply), "{") if one.get("code") == code]


def the_one(values: Sequence[Any]) -> Any:
    """Return the value, if all are equal and there is one; else None."""
    return values[0] if values and all(value == values[0] for value in values) else None


def as_data(**fields: str) -> str:
    """Return texts as one JSON object, so that nothing in them can end it."""
    return json.dumps(fields, ensure_ascii=False)
