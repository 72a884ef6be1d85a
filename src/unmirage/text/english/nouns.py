"""Parse noun phrases: the request for the object of a telling verb, its head noun, and its number."""

from __future__ import annotations

import re

from unmirage.text.english.inflection import lemmas, noun_plurals
from unmirage.text.english.lexicon import (
    AUXILIARIES,
    CONCRETE,
    DETERMINERS,
    MEDIA,
    NUMBERS,
    PERSONS,
    PREPOSITIONS,
    PRONOUNS,
    RELATIVES,
    WH,
    is_adjective,
    is_participle,
)
from unmirage.text.english.meaning import Request
from unmirage.text.openers import words

DEFINITE = frozenset("the this that these those his her their its your my our".split())
_INDEFINITE = frozenset("a an some any".split())
# Nouns of attributes and actions, which fit "what is ...?" with every verb.
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
# Singulars that have nothing to list: "list the best way". The synthetic world lists names, colors and the like.
_NOT_LISTED = frozenset(
    """
    address age cause cost creation date diagnosis difference effect guide height idea identity image list
    location mood number opinion password phone photo picture price purpose reason remedy risk role status strategy
    temperature theme time title value view way weight
    """.split()
)
_GIVEN = frozenset(
    """
    content guide guides tutorial tutorials instruction instructions template templates list lists description
    descriptions analysis plan plans report reports summary summaries recipe recipes letter email message messages
    script scripts checklist outline overview essay review reviews
    """.split()
)
_OF = re.compile(r"^(?:\S+ ){1,4}?of\b", re.I)
_WITH_CLAUSE = re.compile(r"\b(?:and|or) (?:how|why|what|who|where|when|whether)\b", re.I)
_COLLECTIONS = frozenset("group groups crowd pair couple bunch lot image picture photo photograph painting".split())


def from_noun_phrase(noun_phrase: str, *, describes: bool = False) -> Request:
    """Return the request for the object of a telling verb.

    Args:
        noun_phrase: the verb's object.
        describes: whether the verb describes its object ("describe the boat") instead of providing it.
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
    """Return the object of "identify" as a noun phrase: "the man" gives "the identity of the man"."""
    of_some = re.match(r"(?:any|all|some|each|one|both|either|none)(?: one)? of ", noun_phrase, re.I)
    head = head_noun(noun_phrase[of_some.end() :] if of_some else noun_phrase)
    if head not in PERSONS and noun_phrase.lower() not in ("them", "him", "her", "anyone"):
        return noun_phrase
    noun = "identities" if is_plural(noun_phrase) else "identity"
    return f"the {noun} of {noun_phrase}"


def is_concrete(noun_phrase: str) -> bool:
    """Return whether the phrase denotes a being, an image or an object, or is a pronoun."""
    first = words(noun_phrase[:60])
    if not first or first[0] in WH or first[0] == "whether":
        return False
    # In a coordination, the first part decides.
    if len(first) > 2 and first[1] in _ATTRIBUTES:
        return False
    head = head_noun(noun_phrase)
    if first[0] == "your":  # "your guess at his age"
        return False
    return (
        len(first) == 1
        or head in MEDIA | CONCRETE
        or not (head in _ATTRIBUTES or head.endswith(_ATTRIBUTE_ENDINGS) or head == "information")
    )


def bare(noun_phrase: str) -> str:
    """Return the phrase without "a", "an", "some" or "any" before it."""
    first, _, rest = noun_phrase.partition(" ")
    return rest if first.lower() in _INDEFINITE and rest else noun_phrase


def listable(noun_phrase: str) -> bool:
    """Return whether "list ..." takes the phrase: a plural, or a singular that has parts."""
    return is_plural(noun_phrase) or head_noun(noun_phrase) not in _NOT_LISTED


def is_given(noun_phrase: str) -> bool:
    """Return whether the phrase is a text or advice, which one gives and does not tell: "a guide", "instructions"."""
    return head_noun(noun_phrase) in _GIVEN


def is_shared_medium(noun_phrase: str) -> bool:
    """Return whether "share ..." means to distribute the object: "this image", "it with friends"."""
    second = words(noun_phrase[:60])[1:2]
    if (
        head_noun(noun_phrase) in MEDIA
        or (second and second[0] in MEDIA)
        or re.match(r"(?:it|them)\b", noun_phrase, re.I)
    ):
        about_content = re.match(r"\S+ (?:content|contents|text)\b", noun_phrase, re.I)  # "the content of the letter"
        return not re.match(r"(?:a|an|some|any|your)\b", noun_phrase, re.I) and not about_content
    return bool(
        re.search(r"\b(?:on social media|with (?:friends|others|everyone|people|your \w+))\b", noun_phrase, re.I)
    )


def _is_topic(noun_phrase: str, describes: bool) -> bool:
    head = head_noun(noun_phrase)
    if head in CONCRETE:
        return describes or head in PERSONS
    if not describes or head in _ATTRIBUTES or head.endswith(_ATTRIBUTE_ENDINGS):
        return False
    return not (_OF.match(noun_phrase) and head not in _COLLECTIONS)


# Plurals that the dictionary lacks. "data" counts as singular, as in most queries.
_PLURALS = frozenset("people police cattle media these those".split())
# Singulars that end in "s" and have no other plural, or are not common nouns ("AIDS", "hers").
_SINGULARS = frozenset(
    "aids always asbestos billiards bathos chaos corps data diabetes gallows herpes hers innings kudos measles "
    "miniseries molasses mumps news ours pathos physics rabies rickets scabies series species yes".split()
)
_SINGULAR_ENDINGS = ("ss", "us", "is", "ics")
_PLURAL_DETERMINERS = (NUMBERS - {"one"}) | frozenset("these those both several many few".split())
_SINGULAR_DETERMINERS = frozenset("this that a an each every another".split())
_BEHIND_NOUNS = frozenset("visible present available responsible relevant necessary similar able typical".split())
_LONGEST = 400  # characters of a noun phrase that are looked at


def is_plural(noun_phrase: str) -> bool:
    """Return whether the phrase is plural, by its head noun."""
    core = _core(noun_phrase)
    if core[1:] and core[-1] in ("and", "or"):  # the second part looks like a verb: "details or pricing"
        return core[-1] == "and" or is_plural_noun(core[-2])
    if "or" in core[1:-1]:
        return is_plural_noun(head_noun(noun_phrase))
    if "and" in core[1:-1]:
        return True
    if core[1:] and core[0] in _PLURAL_DETERMINERS | _SINGULAR_DETERMINERS:  # "these species", "this series"
        return bool(_PLURAL_DETERMINERS & set(core[:2]))  # "a few species"
    return is_plural_noun(core[-1] if core else "")


def head_noun(noun_phrase: str) -> str:
    """Return the head noun of the phrase; "" if there is none."""
    core = _core(noun_phrase)
    link = next((place for place, word in enumerate(core) if place > 1 and word in ("and", "or")), 0)
    if link and not is_adjective(core[link - 1]):
        return core[link - 1]
    return core[-1] if core else ""


def _core(noun_phrase: str) -> list[str]:
    """Return the words up to the head noun: before a preposition, relative word, verb or next noun phrase."""
    found = words(noun_phrase[:_LONGEST])
    ends = [place for place in range(1, len(found)) if _ends_core(found[place], found[place - 1])]
    if ends[:1] == [1] and found[0] in DETERMINERS:  # "the smiling man", "the shown text"
        ends = ends[1:]
    end = ends[0] if ends else len(found)
    return found[:end]


def is_plural_noun(noun: str) -> bool:
    """Return whether `noun` is a plural; "series" counts as singular."""
    if noun in _PLURALS:
        return True
    if noun in _SINGULARS:
        return False
    singulars = lemmas(noun, "NOUN")
    if singulars and noun not in singulars:
        return True  # "criteria"
    by_ending = noun.endswith("s") and not noun.endswith(_SINGULAR_ENDINGS)
    if not singulars:
        return by_ending and noun not in lemmas(noun, "PROPN")  # not "Texas"
    if len(singulars) > 1:
        return True  # "bacteria", of "bacterium"; "glasses", of "glass"
    return by_ending and noun_plurals(noun) == (noun,)  # "scissors", not "bias"


def _ends_core(word: str, before: str) -> bool:
    if before == "and" and word in DETERMINERS:  # "the name and the place"
        return False
    if word in _BEHIND_NOUNS:
        return True
    closed = PREPOSITIONS | RELATIVES | AUXILIARIES | PRONOUNS | NUMBERS | {"shown", "depicted", "the", "this"}
    return word in closed or word.endswith("ing") or is_participle(word)
