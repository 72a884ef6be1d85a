"""A query and a word in, the query with the word put into it out; nothing else of it is changed."""

from __future__ import annotations

import re
from typing import Literal

from unmirage.text.openers import capitalise, decapitalise

Position = Literal["first", "middle", "last"]
_MARKS = re.compile(r"[\s.?!]*$")


def put_in(query: str, word: str, position: Position) -> str:
    """Return the query with `word` before it ("What, share it."), in its middle, or at its end ("Share it what.")."""
    query = query.strip()
    if position == "first":
        return f"{capitalise(word)}, {decapitalise(query)}"
    if position == "last":
        stem = _MARKS.sub("", query)
        return f"{stem} {word}{query[len(stem) :]}"
    words = query.split()
    half = (len(words) + 1) // 2
    return " ".join([*words[:half], word, *words[half:]])


def replace_opener(query: str, word: str) -> str:
    """Return the query with `word` in the place of what stands before its first blank; a lone word is kept."""
    words = query.split(maxsplit=1)
    if not words:
        return capitalise(word)
    # Punctuation at the first word stays: "Please, share it." becomes "What, share it."
    end = words[0][len(words[0].rstrip(",;:")) :]
    return " ".join([capitalise(word) + end, words[1]]) if len(words) > 1 else f"{capitalise(word)}, {words[0]}"
