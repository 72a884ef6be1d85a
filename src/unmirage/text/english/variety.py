"""Multiply wordings by tails that instruct how to answer and do not change the request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from unmirage.text.openers import words

Text = TypeVar("Text", bound=str)

_TAILS = (
    ", please",
    ", in one sentence",
    ", if you can",
    ", in detail",
    ", step by step",
    ", in a few words",
    ", in plain English",
    ", as precisely as possible",
    ", in your own words",
    ", as briefly as possible",
    ", in simple terms",
    ", as best you can",
    ", point by point",
    ", as fully as possible",
    ", in a short paragraph",
    ", to the best of your knowledge",
    ", in everyday language",
    ", as clearly as possible",
    ", without any jargon",
    ", in two or three sentences",
    ", for a beginner",
    ", with a short explanation",
    ", in the form of a list",
    ", in good English",
    ", one thing at a time",
    ", with all the details",
)

# Words before a colon that announce the text behind it; the colon of a title ("Alien: Covenant") has none.
_GIVEN = re.compile(r"(?P<head>[^:]*\b(?:following|below|this|these|answer|reply|thoughts)\b[^:,.]*): (?=\S)", re.I)
_LONG = 20_000  # characters; longer texts are compared without splitting into words


def varied(wordings: Sequence[str]) -> Iterator[str]:
    """Yield the wordings, then each with each tail that it lacks, then with each pair of such tails."""
    yield from (text for _, text in variations(wordings))


def variations(wordings: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the texts of `varied`, each with the index of the wording that it was made of."""
    yield from enumerate(wordings)
    for tail in _TAILS:
        yield from ((place, with_tail(text, tail)) for place, text in enumerate(wordings) if tail not in text)
    for number, first in enumerate(_TAILS):
        for second in _TAILS[number + 1 :]:
            for place, text in enumerate(wordings):
                if first not in text and second not in text:
                    yield place, with_tail(with_tail(text, first), second)


def with_tail(text: str, tail: str) -> str:
    """Insert `tail` before the end mark of `text`, or before the colon of a text that ends with what it is about."""
    head, colon, given = given_text(text)
    if colon and tail:
        return head + tail + colon + given
    stem = text.rstrip(" .?!")
    return stem + tail + ("?" if text.rstrip().endswith("?") else ".")


def given_text(text: str) -> tuple[str, str, str]:
    """Split "rephrase this sentence: It rains" into request, colon and given text; ("...", "", "") without one."""
    match = _GIVEN.match(text[:_LONG])
    return (match["head"], ": ", text[match.end() :]) if match else (text, "", "")


def distinct(candidates: Iterable[Text], query: str, count: int) -> list[Text]:
    """Return the first `count` candidates that differ from each other and the query in more than punctuation."""
    seen = _keys(query)
    kept: list[Text] = []
    for text in candidates:
        if len(kept) == count:
            break
        keys = _keys(text)
        if not keys & seen:
            seen |= keys
            kept.append(text)
    return kept


def _keys(text: str) -> set[tuple[str, ...]]:
    """Return comparison keys: the text lower-cased without punctuation, with and without clitics ("what's")."""
    if len(text) > _LONG:
        return {("long", text.rstrip(" .?!").casefold())}
    plain = "".join(character if character.isalnum() else " " for character in text.casefold())
    return {("plain", *plain.split()), ("words", *words(text))}
