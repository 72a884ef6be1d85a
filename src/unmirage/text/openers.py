"""Split a query into words, get its opener, and insert or replace a word, in any language.

In scripts without spaces between words (Chinese, Japanese kana), every character counts as a word.
"""

from __future__ import annotations

import re
from typing import Literal

import regex

# Combining marks (\p{M}) are part of Hindi words; the standard `re` does not support them.
_UNSPACED = r"[\p{Han}\p{Hiragana}]"
_LETTER = rf"(?:(?!{_UNSPACED})[\p{{L}}\p{{N}}])"
_PART = rf"{_LETTER}(?:{_LETTER}|\p{{M}})*"
_WORD = regex.compile(rf"{_UNSPACED}\p{{M}}*|{_PART}(?:['\u2019-]{_PART})*")
# The same words for ASCII text, several times faster.
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")
_CLITIC = re.compile(r"'(?:s|re|ll|d|ve|m)$")


def words(text: str) -> list[str]:
    """Return the words of `text`, lower-cased and without punctuation and clitics ("What's" gives "what")."""
    if text.isascii():
        found = _ASCII_WORD.findall(text.lower())
        return [_CLITIC.sub("", word) for word in found] if "'" in text else found
    return [_bare(match.group()) for match in _WORD.finditer(text)]


def opener(text: str) -> str:
    """Return the first word of `text`, lower-cased and without clitics; "" if there is none."""
    match = _WORD.search(text)
    return _bare(match.group()) if match else ""


def _bare(word: str) -> str:
    return _CLITIC.sub("", word.casefold().replace("\u2019", "'"))


def capitalise(text: str) -> str:
    """Return `text` with its first letter in upper case and the rest unchanged."""
    return text[:1].upper() + text[1:]


def decapitalise(text: str) -> str:
    """Return `text` with its first letter in lower case, unless its first word is all upper case or "I"."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    if (len(first) > 1 and first.isupper()) or re.match(r"I(?:\W|$)", text):
        return text
    return text[:1].lower() + text[1:]


Position = Literal["first", "middle", "last"]
_MARKS = re.compile(r"[\s.?!]*$")


def put_in(query: str, word: str, position: Position) -> str:
    """Insert `word` at the start ("What, share it."), in the middle or at the end ("Share it what.") of a query."""
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
    """Replace the text before the first space of the query by `word`; a single word is kept after it."""
    words = query.split(maxsplit=1)
    if not words:
        return capitalise(word)
    # Keep the punctuation of the first word: "Please, share it." gives "What, share it."
    end = words[0][len(words[0].rstrip(",;:")) :]
    return " ".join([capitalise(word) + end, words[1]]) if len(words) > 1 else f"{capitalise(word)}, {words[0]}"
