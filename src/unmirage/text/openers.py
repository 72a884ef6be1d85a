"""Words and openers of a query. Strings in, strings out, in any language.

Where a script puts no space between words (Chinese, Japanese kana), every character counts as a word: it is
what a reader without a dictionary can tell apart.
"""

from __future__ import annotations

import re
from typing import Literal

import regex

# Marks belong to the letter before them: without \p{M}, Hindi words fall apart. The standard `re` lacks it.
_UNSPACED = r"[\p{Han}\p{Hiragana}]"
_LETTER = rf"(?:(?!{_UNSPACED})[\p{{L}}\p{{N}}])"
_PART = rf"{_LETTER}(?:{_LETTER}|\p{{M}})*"
_WORD = regex.compile(rf"{_UNSPACED}\p{{M}}*|{_PART}(?:['\u2019-]{_PART})*")
# The same words where all characters are ASCII, several times as fast.
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")
_CLITIC = re.compile(r"'(?:s|re|ll|d|ve|m)$")


def words(text: str) -> list[str]:
    """Return the words of `text` in order: lower-cased, punctuation stripped ("What's" gives "what")."""
    if text.isascii():
        found = _ASCII_WORD.findall(text.lower())
        return [_CLITIC.sub("", word) for word in found] if "'" in text else found
    return [_bare(match.group()) for match in _WORD.finditer(text)]


def opener(text: str) -> str:
    """Return the first word of `text`, lower-cased and stripped; "" where there is no word."""
    match = _WORD.search(text)
    return _bare(match.group()) if match else ""


def _bare(word: str) -> str:
    return _CLITIC.sub("", word.casefold().replace("\u2019", "'"))


def capitalise(text: str) -> str:
    """Return `text` with its first letter in upper case, the rest as it is."""
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
