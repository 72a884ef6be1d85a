"""The object of a telling verb in, the request that it makes out: a thing, a topic, a supply or a clause."""

from __future__ import annotations

import re

from unmirage.text.lexicon import CONCRETE, MEDIA, PERSONS, WH
from unmirage.text.number import head_noun, is_plural
from unmirage.text.openers import words
from unmirage.text.request import Request

DEFINITE = frozenset("the this that these those his her their its your my our".split())
_INDEFINITE = frozenset("a an some any".split())
# Nouns of what somebody or something has or does: one asks "what is" them, whatever the verb.
_ATTRIBUTES = frozenset(
    """
    recipe colour color name names place title style mood theme purpose meaning message role gender age race height
    identity identities emotion emotions feelings behaviour behavior action actions activity activities attire content
    contents text words context steps way ways method methods pose posture look expression reason reasons cause causes
    origin history background ingredients brand logo price cost size shape type kind effect effects impact benefits
    details facts implications differences difference features structure sequence process technique techniques
    """.split()
)
_ATTRIBUTE_ENDINGS = ("tion", "tions", "ment", "ness", "ity", "ance", "ence", "ism", "age", "ics", "ies", "ship")
_OF = re.compile(r"^(?:\S+ ){1,4}?of\b", re.I)
_WITH_CLAUSE = re.compile(r"\b(?:and|or) (?:how|why|what|who|where|when|whether)\b", re.I)
_COLLECTIONS = frozenset("group groups crowd pair couple bunch lot image picture photo photograph painting".split())


def from_noun_phrase(noun_phrase: str, *, describes: bool = False) -> Request:
    """Return the request for what a telling verb has behind it.

    Args:
        noun_phrase: the verb's object.
        describes: whether the verb tells of its object ("describe the boat") instead of handing it over.
    """
    first = words(noun_phrase[:60])[:2]
    if not first:
        return Request("question", noun_phrase)
    if first[0] in ("if", "whether"):
        return Request("clause", "whether" + noun_phrase[len(first[0]) :])
    if first == ["how", "to"]:
        return Request("method", noun_phrase[noun_phrase.lower().index("to") + 2 :].strip())
    if first[0] in WH:
        return Request("clause", noun_phrase)
    if first[0] == "that" and len(first) > 1 and first[1] in DEFINITE | {"he", "she", "it", "they", "we", "you", "i"}:
        return Request("claim", noun_phrase[len("that") :].strip())
    if first[0] in DEFINITE and _WITH_CLAUSE.search(noun_phrase):
        return Request("topic", noun_phrase)
    if first[0] in DEFINITE:
        return Request("topic" if len(first) == 1 or _is_topic(noun_phrase, describes) else "thing", noun_phrase)
    if describes or first[0] in ("it", "him", "her", "them", "yourself", "everything"):
        return Request("topic", noun_phrase)
    return Request("supply", noun_phrase)


def identity(noun_phrase: str) -> str:
    """Return what is wanted of someone to be identified: "the man" gives "the identity of the man"."""
    of_some = re.match(r"(?:any|all|some|each|one|both|either|none)(?: one)? of ", noun_phrase, re.I)
    head = head_noun(noun_phrase[of_some.end() :] if of_some else noun_phrase)
    if head not in PERSONS and noun_phrase.lower() not in ("them", "him", "her", "anyone"):
        return noun_phrase
    noun = "identities" if is_plural(noun_phrase) else "identity"
    return f"the {noun} of {noun_phrase}"


def is_concrete(noun_phrase: str) -> bool:
    """Return whether the phrase stands for a being, a picture or an object, or is a pronoun."""
    first = words(noun_phrase[:60])
    if not first or first[0] in WH or first[0] == "whether":
        return False
    # Attributes first: of a coordination, the first part decides.
    if len(first) > 2 and first[1] in _ATTRIBUTES:
        return False
    head = head_noun(noun_phrase)
    return len(first) == 1 or not (head in _ATTRIBUTES or head.endswith(_ATTRIBUTE_ENDINGS) or head == "information")


def bare(noun_phrase: str) -> str:
    """Return the phrase without "a", "an", "some" or "any" before it."""
    first, _, rest = noun_phrase.partition(" ")
    return rest if first.lower() in _INDEFINITE and rest else noun_phrase


def is_shared_medium(noun_phrase: str) -> bool:
    """Return whether "share ..." asks to pass the object on: "this image", "it with friends"."""
    second = words(noun_phrase[:60])[1:2]
    if (
        head_noun(noun_phrase) in MEDIA
        or (second and second[0] in MEDIA)
        or re.match(r"(?:it|them)\b", noun_phrase, re.I)
    ):
        return not re.match(r"(?:a|an|some|any|your)\b", noun_phrase, re.I) and not _of_other(noun_phrase)
    return bool(
        re.search(r"\b(?:on social media|with (?:friends|others|everyone|people|your \w+))\b", noun_phrase, re.I)
    )


def _of_other(noun_phrase: str) -> bool:
    """Return whether an "of" phrase says what the medium holds: "the content of the letter"."""
    return bool(re.match(r"\S+ (?:content|contents|text)\b", noun_phrase, re.I))


def _is_topic(noun_phrase: str, describes: bool) -> bool:
    head = head_noun(noun_phrase)
    if head in CONCRETE:
        return describes or head in PERSONS
    if not describes or head in _ATTRIBUTES or head.endswith(_ATTRIBUTE_ENDINGS):
        return False
    return not (_OF.match(noun_phrase) and head not in _COLLECTIONS)
