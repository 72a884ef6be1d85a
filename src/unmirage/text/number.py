"""English endings: is a noun phrase plural, and how a verb goes with "she" or in the past."""

from __future__ import annotations

from unmirage.text.lexicon import (
    AUXILIARIES,
    DETERMINERS,
    NUMBERS,
    PREPOSITIONS,
    PRONOUNS,
    RELATIVES,
    is_adjective,
    is_participle,
)
from unmirage.text.openers import words

_PLURALS = frozenset("people men women children police these those teeth feet mice geese cattle criteria media".split())
_SINGULARS = frozenset(
    "news series species physics mathematics politics athletics economics ethics gas lens canvas atlas always "
    "yes christmas texas paris kansas bus plus hers ours diabetes rabies aids basis".split()
)
_BEHIND_NOUNS = frozenset("visible present available responsible relevant necessary similar able typical".split())
_LONGEST = 400  # characters of a noun phrase that are looked at
_PAST = dict(
    pair.split(":")
    for pair in (
        "be:was become:became begin:began break:broke bring:brought build:built buy:bought catch:caught choose:chose "
        "come:came cost:cost cut:cut deal:dealt die:died do:did draw:drew drink:drank drive:drove eat:ate fall:fell "
        "feed:fed feel:felt fight:fought find:found flee:fled fly:flew forget:forgot get:got give:gave go:went "
        "grow:grew have:had hear:heard hide:hid hit:hit hold:held hurt:hurt keep:kept know:knew lead:led leave:left "
        "let:let lie:lay lose:lost make:made mean:meant meet:met pay:paid put:put read:read ride:rode rise:rose "
        "run:ran say:said see:saw seek:sought sell:sold send:sent set:set shoot:shot show:showed sing:sang sit:sat "
        "sleep:slept speak:spoke spend:spent spread:spread stand:stood steal:stole strike:struck swim:swam take:took "
        "teach:taught tell:told think:thought throw:threw understand:understood wake:woke wear:wore win:won "
        "write:wrote"
    ).split()
)


def is_plural(noun_phrase: str) -> bool:
    """Guess from the head noun: the last word before a preposition, relative word, verb or next noun phrase."""
    core = _core(noun_phrase)
    if core[1:] and core[-1] in ("and", "or"):  # what is joined looks like a verb: "details or pricing"
        return core[-1] == "and" or is_plural_noun(core[-2])
    if "or" in core[1:-1]:
        return is_plural_noun(head_noun(noun_phrase))
    return "and" in core[1:-1] or is_plural_noun(core[-1] if core else "")


def head_noun(noun_phrase: str) -> str:
    """Return the word that says what the noun phrase stands for; "" where there is none."""
    core = _core(noun_phrase)
    link = next((place for place, word in enumerate(core) if place > 1 and word in ("and", "or")), 0)
    if link and not is_adjective(core[link - 1]):
        return core[link - 1]
    return core[-1] if core else ""


def _core(noun_phrase: str) -> list[str]:
    """Return the words up to the head noun."""
    found = words(noun_phrase[:_LONGEST])
    ends = [place for place in range(1, len(found)) if _ends_core(found[place], found[place - 1])]
    if ends[:1] == [1] and found[0] in DETERMINERS:  # "the smiling man", "the shown text"
        ends = ends[1:]
    end = ends[0] if ends else len(found)
    return found[:end]


def is_plural_noun(noun: str) -> bool:
    """Return whether `noun` looks like a plural."""
    if noun in _PLURALS:
        return True
    return noun.endswith("s") and not noun.endswith(("ss", "us", "is")) and noun not in _SINGULARS


def _ends_core(word: str, before: str) -> bool:
    if before == "and" and word in DETERMINERS:  # "the name and the place"
        return False
    if word in _BEHIND_NOUNS:
        return True
    closed = PREPOSITIONS | RELATIVES | AUXILIARIES | PRONOUNS | NUMBERS | {"shown", "depicted", "the", "this"}
    return word in closed or word.endswith("ing") or is_participle(word)


def third_person(verb: str) -> str:
    """Return the form that goes with "she": holds, has, goes, carries, watches."""
    if verb in AUXILIARIES - {"have", "do"}:
        return verb
    if verb in ("have", "do", "go", "be"):
        return {"have": "has", "do": "does", "go": "goes", "be": "is"}[verb]
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "z")) else "s")


def past(verb: str) -> str:
    """Return the past tense."""
    if verb in _PAST:
        return _PAST[verb]
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return verb[:-1] + "ied"
    doubled = len(verb) in (3, 4) and verb[-1] in "bdgnptm" and verb[-2] in "aeiou" and verb[-3] not in "aeiou"
    return verb + (verb[-1] if doubled else "") + "ed"
