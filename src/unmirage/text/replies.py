"""Extract JSON values from replies of language models, which may also contain explanations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

_MOST_BRACKETS = 50


def json_values(text: str, opening: str) -> Iterator[Any]:
    """Yield the outermost JSON objects and lists in a text.

    Args:
        text: any text; only its first 50 brackets are tried.
        opening: brackets that a value may start with: "{" for objects, "[{" for both.
    """
    end = 0
    for bracket in islice(re.finditer(f"[{re.escape(opening)}]", text), _MOST_BRACKETS):
        if bracket.start() < end:
            continue
        try:
            value, end = json.JSONDecoder().raw_decode(text, bracket.start())
        except (ValueError, RecursionError):
            continue  # a bracket in a sentence
        yield value
