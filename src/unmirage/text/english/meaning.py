"""Measure how much of a query's content is kept in a rewrite, as the share of its content words in any order.

Content words exclude `FUNCTION_WORDS` and asking words. Position matters: "describe" is an asking word in "Describe the
dog", but not in "Explain how poets describe the sea".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from unmirage.text.english.frames import RequestKind
from unmirage.text.english.inflection import TELLING_VERBS, irregular_base
from unmirage.text.openers import words
from unmirage.text.vocabulary import FUNCTION_WORDS


@dataclass(frozen=True, slots=True)
class Request:
    """The request that a query makes, independent of its wording.

    Attributes:
        kind: a "thing" ("the recipe"), a "topic" to describe ("the man"), a "supply" to provide ("tips"), a "product"
            to make ("create a poem"), an "action" ("fix the boat"), a "method" ("how to" do an action), a "clause"
            ("who she is"), a "claim" ("it is late"), or a "question" that is quoted verbatim.
        body: the words of the request, without end mark.
        rest: sentences around the request, kept verbatim.
    """

    kind: RequestKind
    body: str
    rest: str = ""


# The rewriter drops or adds these words. "create" and "generate" are content, like all verbs that name an action.
ASKING_WORDS = (frozenset(TELLING_VERBS) - {"create", "generate"}) | frozenset("say know answer elaborate".split())
# Instructions on how to answer, at the end of a query, are not content.
_MANNERS = (("in", "a", "few", "words"), ("in", "detail"), ("in", "brief"))
_LOOKED_AT = 4  # maximum position of an asking word: "Could you please briefly describe"
_SUFFIXES = tuple(
    "ations ation ating ated ates ate itions ition ities ments ment ness ions ion ings ing ysis yses ies ied ity ify "
    "yze yse ers er ed es s e y".split()
)
_STEM = 3  # minimum letters of a stem


def content_words(text: str) -> list[str]:
    """Return the content words of `text` in order, lower-cased.

    This drops function words, asking words ("tell", "describe", "share") at the beginning of a request or after its
    polite opening, and instructions on how to answer ("in a few words") at its end.
    """
    found = _without_manner(words(text))
    return [
        word
        for place, word in enumerate(found)
        if word not in FUNCTION_WORDS and not (word in ASKING_WORDS and _asks(found, place))
    ]


def kept(query: str, rewrite: str) -> float:
    """Return the share of the query's content words that occur in `rewrite`; 1.0 if the query has none.

    Words are compared by stem: "holding" and "holds", "eat" and "ate", "identify" and "identity". Each word of the
    rewrite matches at most one of the query.
    """
    wanted = Counter(map(stem, content_words(query)))
    if not wanted:
        return 1.0
    there = Counter(map(stem, words(rewrite)))
    return sum((wanted & there).values()) / sum(wanted.values())


def stem(word: str) -> str:
    """Return the stem of `word`, for comparison only."""
    word = irregular_base(word)
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _STEM and not word.endswith("ss"):
            word = word[: -len(suffix)]
            break
    if len(word) > _STEM and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]  # "running"
    return word.removesuffix("e") if len(word) > _STEM else word


def _without_manner(found: list[str]) -> list[str]:
    for manner in _MANNERS:
        if tuple(found[-len(manner) :]) == manner:
            return found[: -len(manner)]
    return found


def _asks(found: list[str], place: int) -> bool:
    """Return whether the word opens the request, or one of several joined by "and", "or" or "then"."""
    before = found[:place]
    linked = place > 0 and found[place - 1] in ("and", "or", "then")
    return linked or (place <= _LOOKED_AT and all(word in FUNCTION_WORDS or word.endswith("ly") for word in before))
