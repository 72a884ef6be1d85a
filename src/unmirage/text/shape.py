"""Features of a query's shape, such as end mark, digits and capitals, independent of its words and language."""

from __future__ import annotations

import re
from dataclasses import dataclass

import regex

_TRAILING = " \t\r\n\"'’”»)]*_"
_ENDS = {"?": 0, "？": 0, "؟": 0, "¿": 0, ".": 1, "。": 1, "।": 1, "…": 1, "!": 2, "！": 2}
_NO_END = 3


@dataclass(frozen=True, slots=True)
class ShapeFeature:
    """A feature of a query's shape: its name, and a verb phrase for "queries that ..."."""

    name: str
    text: str


# The first four are mutually exclusive. Bit i of `shape` is feature i.
SHAPES = (
    ShapeFeature("ends with ?", "end with a question mark"),
    ShapeFeature("ends with .", "end with a full stop"),
    ShapeFeature("ends with !", "end with an exclamation mark"),
    ShapeFeature("no end mark", "end without punctuation"),
    ShapeFeature("comma", "contain a comma"),
    ShapeFeature("colon", "contain a colon"),
    ShapeFeature("quotation mark", "contain a quotation mark"),
    ShapeFeature("digit", "contain a digit"),
    ShapeFeature("line break", "run over several lines"),
    ShapeFeature("several sentences", "consist of several sentences"),
    ShapeFeature("lower-case start", "start with a lower-case letter"),
    ShapeFeature("capitals", "contain a word in capitals"),
)

_HOLDS = (
    re.compile(r"[,，、،]"),
    re.compile(r"[:：]"),
    re.compile(r'["“”„«»「」]'),
    re.compile(r"\d"),
    re.compile(r"\n\s*\S"),
    re.compile(r"[.?!؟।]\s+\w|[。？！]\s*\w"),
)
_FIRST_HELD = _NO_END + 1
_LOWER_START = 1 << (_FIRST_HELD + len(_HOLDS))
_CAPITALS = 1 << (_FIRST_HELD + len(_HOLDS) + 1)
_ASCII_CAPITALS = re.compile(r"[A-Z]{2}")
_ANY_CAPITALS = regex.compile(r"\p{Lu}{2}")


def shape(text: str) -> int:
    """Return the features of `SHAPES` that `text` has, as a bit mask."""
    stripped = text.rstrip(_TRAILING)
    found = 1 << _ENDS.get(stripped[-1:], _NO_END)
    for bit, pattern in enumerate(_HOLDS, _FIRST_HELD):
        if pattern.search(text):
            found |= 1 << bit
    if text.lstrip(" \t\r\n\"'“«(*_")[:1].islower():
        found |= _LOWER_START
    if (_ASCII_CAPITALS if text.isascii() else _ANY_CAPITALS).search(text):
        found |= _CAPITALS
    return found
