"""Words and openers of a query. Strings in, strings out, in any language.

Where a script puts no space between words (Chinese, Japanese kana), every character counts as a word: it is
what a reader without a dictionary can tell apart.
"""

from __future__ import annotations

import re

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
