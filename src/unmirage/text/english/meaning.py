"""How much of a query's content stands in its rewrite? Two texts in, a share out. Words only; order does not count.

Content words are what is left without `FUNCTION_WORDS` and without the words that only ask. Which these are depends on
where they stand: "describe" asks in "Describe the dog", but not in "Explain how poets describe the sea".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from unmirage.text.english.frames import TELLING_VERBS, RequestKind
from unmirage.text.english.inflection import irregular_base
from unmirage.text.openers import words
from unmirage.text.vocabulary import FUNCTION_WORDS


@dataclass(frozen=True, slots=True)
class Request:
    """What a query asks for.

    Attributes:
        kind: a "thing" ("the recipe"), a "topic" to talk about ("the man"), a "supply" to hand over ("tips"), a
            "product" to make ("create a poem"), an "action" ("fix the boat"), a "clause" ("who she is"), a "claim"
            ("it is late"), or the answer to a "question" that is quoted as it stands.
        body: the words of it, without end mark.
        rest: sentences around the request, kept as they are.
    """

    kind: RequestKind
    body: str
    rest: str = ""


# The rewriter drops or adds these wherever a request is put in other words. "create" and "generate" ask for
# something to be made, so they are content, like every verb that names an action.
ASKING_WORDS = (frozenset(TELLING_VERBS) - {"create", "generate"}) | frozenset("say know answer elaborate".split())
# How to answer, at the end of a query, is not what it asks.
_MANNERS = (("in", "a", "few", "words"), ("in", "detail"), ("in", "brief"))
_LOOKED_AT = 4  # an asking word asks only this near to the beginning: "Could you please briefly describe"
_SUFFIXES = tuple(
    "ations ation ating ated ates ate itions ition ities ments ment ness ions ion ings ing ysis yses ies ied ity ify "
    "yze yse ers er ed es s e y".split()
)
_STEM = 3  # letters that a stem keeps


def content_words(text: str) -> list[str]:
    """Return the words of `text` that carry its meaning, in order, lower-cased.

    Function words are left out everywhere, asking words ("tell", "describe", "share") where they open the request or
    follow its polite opening, and how to answer ("in a few words") where it ends it.
    """
    found = _without_manner(words(text))
    return [
        word
        for place, word in enumerate(found)
        if word not in FUNCTION_WORDS and not (word in ASKING_WORDS and _asks(found, place))
    ]


def kept(query: str, rewrite: str) -> float:
    """Return the share of the query's content words that stand in `rewrite`, 1.0 for a query without any.

    Words count as the same whose stems are: "holding" and "holds", "eat" and "ate", "identify" and "identity". Each
    word of the rewrite stands for one of the query.
    """
    wanted = Counter(map(stem, content_words(query)))
    if not wanted:
        return 1.0
    there = Counter(map(stem, words(rewrite)))
    return sum((wanted & there).values()) / sum(wanted.values())


def stem(word: str) -> str:
    """Return `word` without what English endings change, for comparing and not for reading."""
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
    """Return whether the word opens the request, or one of several that "and" or "or" joins."""
    before = found[:place]
    linked = place > 0 and found[place - 1] in ("and", "or", "then")
    return linked or (place <= _LOOKED_AT and all(word in FUNCTION_WORDS or word.endswith("ly") for word in before))
