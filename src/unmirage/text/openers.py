"""Words and openers of a query. Strings in, strings out; any language that separates words."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_CLITIC = re.compile(r"['\u2019](?:s|re|ll|d|ve|m)$")


def words(text: str) -> list[str]:
    """Return the words of `text` in order: lower-cased, punctuation stripped ("What's" gives "what")."""
    return [_CLITIC.sub("", match.group().casefold()) for match in _WORD.finditer(text)]


def opener(text: str) -> str:
    """Return the first word of `text`, lower-cased and stripped; "" where there is no word."""
    match = _WORD.search(text)
    return _CLITIC.sub("", match.group().casefold()) if match else ""


def capitalise(text: str) -> str:
    """Return `text` with its first letter in upper case, the rest as it is."""
    return text[:1].upper() + text[1:]


def decapitalise(text: str) -> str:
    """Return `text` with its first letter in lower case, unless its first word is all upper case or "I"."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    if (len(first) > 1 and first.isupper()) or re.match(r"I(?:\W|$)", text):
        return text
    return text[:1].lower() + text[1:]
