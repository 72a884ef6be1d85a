"""Is a noun phrase singular or plural, and which word is its head noun?"""

from __future__ import annotations

from unmirage.text.inflection import lemmas, noun_plurals
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

# Plural in use, whatever the dictionary says; "data" is left singular, as most writers of queries have it.
_PLURALS = frozenset("people police cattle media these those".split())
# Singular, though they end in "s" and have no other plural, or are no common nouns ("AIDS", "hers").
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
    """Guess from the head noun: the last word before a preposition, relative word, verb or next noun phrase."""
    core = _core(noun_phrase)
    if core[1:] and core[-1] in ("and", "or"):  # what is joined looks like a verb: "details or pricing"
        return core[-1] == "and" or is_plural_noun(core[-2])
    if "or" in core[1:-1]:
        return is_plural_noun(head_noun(noun_phrase))
    if "and" in core[1:-1]:
        return True
    if core[1:] and core[0] in _PLURAL_DETERMINERS | _SINGULAR_DETERMINERS:  # "these species", "this series"
        return bool(_PLURAL_DETERMINERS & set(core[:2]))  # "a few species"
    return is_plural_noun(core[-1] if core else "")


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
    """Return whether `noun` is a plural; a noun that is its own plural ("series") counts as singular."""
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
