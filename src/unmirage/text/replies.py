"""Find the JSON values in the reply of a language model, which may think aloud, explain or quote beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.S)
_MOST_BRACKETS = 50


def without_thoughts(reply: str) -> str:
    """Return the reply without what stands between `<think>` and `</think>`, or after an unclosed `<think>`."""
    return _THOUGHT.sub("", reply)


def json_values(text: str, opening: str) -> Iterator[Any]:
    """Yield the JSON objects and lists in a text that are not part of another one yielded before.

    Args:
        text: any text; brackets that open no JSON are passed over, and only the first 50 brackets are tried.
        opening: the brackets that a value may start with: "{" for objects, "[{" for both.
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
