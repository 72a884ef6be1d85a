"""Words and openers of a query. Strings in, strings out; any language that separates words."""

from __future__ import annotations

import re

import regex

# Marks belong to the letter before them: without \p{M}, Hindi words fall apart. The standard `re` lacks it.
_WORD = regex.compile(r"[\p{L}\p{N}][\p{L}\p{N}\p{M}]*(?:['\u2019-][\p{L}\p{N}][\p{L}\p{N}\p{M}]*)*")
_CLITIC = re.compile(r"'(?:s|re|ll|d|ve|m)$")


def words(text: str) -> list[str]:
    """Return the words of `text` in order: lower-cased, punctuation stripped ("What's" gives "what")."""
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
