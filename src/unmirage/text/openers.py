"""Split a query into words, get its opener, and insert or replace a word, in any language.

Languages that are written without spaces (Chinese, Japanese, Thai, Lao, Khmer and Burmese) are split with the
dictionaries of ICU.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal

import regex

from unmirage.text.leads import content_start

# Combining marks (\p{M}) are part of Hindi words; the standard `re` does not support them.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_ALNUM = r"[\p{L}\p{N}]"
_LETTER = rf"(?:(?![{_UNSPACED}]){_ALNUM})"
_PART = rf"{_LETTER}(?:{_LETTER}|\p{{M}})*"
# The prolonged sound marks of katakana belong to no script. A run in group 1 may be of several words.
_RUN = rf"(?=[{_UNSPACED}]){_ALNUM}(?:(?=[{_UNSPACED}\u30fc\uff70]){_ALNUM}|\p{{M}})*"
_SPACED = rf"{_PART}(?:['\u2019-]{_PART})*"
_WORD = regex.compile(rf"({_RUN})|{_SPACED}")
_UNSPACED_LETTER = regex.compile(rf"[{_UNSPACED}]")
_SPACED_WORD = regex.compile(_SPACED)
# The same words for ASCII text, several times faster.
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")
_ASCII_OPENER = re.compile(r"[A-Za-z0-9]+(?:['-][A-Za-z0-9]+)*")
_CLITIC = re.compile(r"'(?:s|re|ll|d|ve|m)$")


def words(text: str) -> list[str]:
    """Return the words of `text`, lower-cased and without punctuation and clitics ("What's" gives "what")."""
    if text.isascii():
        found = _ASCII_WORD.findall(text.lower())
        return [_CLITIC.sub("", word) for word in found] if "'" in text else found
    if _UNSPACED_LETTER.search(text):
        return [_bare(text[start:end]) for start, end in _spans(text)]
    return [_bare(word) for word in _SPACED_WORD.findall(text)]


def opener(text: str) -> str:
    """Return the first word of the content of `text`, lower-cased and without clitics; "" if there is none.

    Role markers and numbering ("USER:", "17.") are passed over; see `leads.content_start`.
    """
    return first_word(text, content_start(text))


def first_word(text: str, start: int) -> str:
    """Return the first word of `text` from an offset, lower-cased and without clitics; "" if there is none."""
    if text.isascii():
        match = _ASCII_OPENER.search(text, start)
        return _CLITIC.sub("", match.group().lower()) if match else ""
    span = next(_spans(text, start), None)
    return _bare(text[slice(*span)]) if span else ""


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return start and end of each word of `text`, in characters; the words are those of `words`."""
    return list(_spans(text))


def _spans(text: str, start: int = 0) -> Iterator[tuple[int, int]]:
    for match in _WORD.finditer(text, start):
        at, end = match.span()
        if match.lastindex is None or end - at == 1:
            yield at, end
        else:
            for part in _dictionary()(match.group(), "root"):
                yield at, at + len(part)
                at += len(part)


@cache
def _dictionary() -> Any:
    """Return ICU's word segmentation, imported when it is needed: its data has 33 MB."""
    from icu4py.breakers import WordBreaker

    return WordBreaker


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
    """Insert `word` at the start ("What, share it."), in the middle or at the end ("Share it what.") of a query.

    Role markers and numbering stay in front.
    """
    lead, query = _parted(query)
    if position == "first":
        return f"{lead}{capitalise(word)}, {decapitalise(query)}"
    if position == "last":
        stem = _MARKS.sub("", query)
        return f"{lead}{stem} {word}{query[len(stem) :]}"
    words = query.split()
    half = (len(words) + 1) // 2
    return lead + " ".join([*words[:half], word, *words[half:]])


def replace_opener(query: str, word: str) -> str:
    """Replace the text before the first space of the query by `word`; a single word is kept after it.

    Role markers and numbering stay in front. In languages without spaces, the first word is replaced.
    """
    lead, query = _parted(query)
    words = query.split(maxsplit=1)
    if not words:
        return lead + capitalise(word)
    spans = word_spans(words[0])
    if len(spans) > 1 and spans[0][1] == spans[1][0]:
        return lead + word + query[spans[0][1] :]
    # Keep the punctuation of the first word: "Please, share it." gives "What, share it."
    end = words[0][len(words[0].rstrip(",;:")) :]
    return lead + (f"{capitalise(word)}{end} {words[1]}" if len(words) > 1 else f"{capitalise(word)}, {words[0]}")


def _parted(query: str) -> tuple[str, str]:
    """Return what precedes the content of a query, and the content without spaces at its ends."""
    query = query.strip()
    start = content_start(query)
    return query[:start], query[start:]
