"""Word a request for information as "what" questions of noun and passive form.

A question is a pair of its text in lower case, without question mark, and its family. Questions that fit best come
first.
"""

from __future__ import annotations

import re
from typing import Literal

from unmirage.text.english.lexicon import (
    AUXILIARIES,
    DETERMINERS,
    PERSONS,
    PREPOSITIONS,
    PRONOUNS,
    is_adjective,
    is_adverb,
)
from unmirage.text.english.meaning import Request
from unmirage.text.english.realise import direct
from unmirage.text.english.subjects import bare_words
from unmirage.text.english.wordings.phrases import Phrase, divide

Family = Literal["insert", "noun", "passive"]
Question = tuple[str, Family]

# Nouns of what is known: "what details are known about the man".
_KNOWN = frozenset("information details detail facts background data history specifics particulars".split())
_PICTURES = frozenset(
    "image images picture pictures photo photos photograph photographs meme memes painting paintings scene scenes "
    "video videos drawing artwork screenshot poster illustration advertisement ad cartoon".split()
)
_SHOWING = frozenset("analysis assessment evaluation comparison interpretation review critique summary".split())
_LOOKS = frozenset("appearance attire outfit pose posture clothing costume hairstyle expression".split())
_IDENTITY = re.compile(r"the identit(?:y|ies) of (?P<who>.+)", re.I)
_WHO = re.compile(r"who (?P<who>.+) (?:is|are|was|were)", re.I)
_WHY_BE = re.compile(
    r"why (?P<what>.+?) (?:is|are|was|were) (?P<rest>(?!not\b|the\b|an?\b|\w+ing\b|\w+ed\b)\w.*)", re.I
)
_BEHIND = frozenset("about on regarding concerning based from including where how why what".split())
_FEW = 8  # words of modifiers between a noun and its verb
_SHORT = 12  # words of a noun phrase between "what might" and "be"
_MODAL = re.compile(r"\b(?:might|may|could|can|would)\b", re.I)
_OBJECT_FORMS = {"he": "him", "she": "her", "they": "them", "i": "me", "we": "us"}


def asked(request: Request) -> list[Question]:
    """Return the questions for a request for information; [] for other kinds of request."""
    body = request.body
    if request.kind == "thing":
        return thing(body)
    if request.kind == "supply":
        return supply(body)
    if request.kind == "topic":
        return topic(body)
    if request.kind == "clause":
        return clause(body)
    return method(body) if request.kind == "method" else []


def thing(noun_phrase: str) -> list[Question]:
    """Return questions for a definite thing: "the name of the woman", "your analysis of the plan"."""
    named = _IDENTITY.fullmatch(noun_phrase)
    phrase = divide(noun_phrase)
    made: list[Question] = [(f"what {be} {noun_phrase}", "noun") for be in _be(noun_phrase, phrase.be)[:2]]
    if phrase.determiner == "your":
        return made + _own_view(phrase)
    made += _turned(phrase)
    if named:
        who = named["who"]
        cans = ("can",) if who.startswith(("any", "either")) else ("might", "can")
        made += [(f"what {can} {who} be identified as", "passive") for can in cans]
        return [*made, *_shown(who), (f"what could be {noun_phrase}", "noun")]
    if len(noun_phrase.split()) <= _SHORT and phrase.determiner and not _MODAL.search(noun_phrase):
        made.append((f"what might {noun_phrase} be", "noun"))
    made.append((f"what could be {noun_phrase}", "noun"))
    if phrase.head in _LOOKS and not phrase.participial:
        made.append((f"what {phrase.be} {noun_phrase} like", "noun"))
    return [*made, (f"what can be said about {noun_phrase}", "passive")]


def supply(noun_phrase: str, done: str = "given") -> list[Question]:
    """Return questions for something to provide: "personal details about the man", "a recipe".

    Args:
        done: participle of the verb that provides it; "shown" replaces it for pictures.
    """
    phrase = divide(noun_phrase)
    core, rest = phrase.core, phrase.rest
    done = "shown" if phrase.head in _PICTURES else done
    first = bare_words(rest.split()[:1])[:1]
    behind = not first or first[0] in _BEHIND or phrase.participial or len(rest.split()) > _FEW
    can_be = f"{core} can be {done} {rest}" if behind else f"{core} {rest} can be {done}"
    made: list[Question] = []
    if phrase.head in _KNOWN and not phrase.participial:
        made.append((f"what {core} {phrase.be} known {rest}", "passive"))
    made.append((f"what {can_be}", "passive"))
    if phrase.determiner in ("a", "an"):
        made += [(f"what {be} {noun_phrase}", "noun") for be in _be(noun_phrase, "is")]
    else:
        made += [(f"what {be} {_some(core)} {rest}", "noun") for be in _be(noun_phrase, phrase.be)]
    return [*made, (f"what {core} {phrase.be} there {rest}", "noun"), (f"what type of {can_be}", "passive")]


def topic(noun_phrase: str) -> list[Question]:
    """Return questions for something to describe: "the man in the picture", "this image"."""
    phrase = divide(noun_phrase)
    if phrase.head in PERSONS and not _IDENTITY.fullmatch(noun_phrase):
        do = "do" if phrase.plural else "does"
        return [
            (f"what {do} {noun_phrase} look like", "noun"),
            (f"what can be seen of {noun_phrase}", "passive"),
            (f"what might be a description of {noun_phrase}", "noun"),
            (f"what can be said about {noun_phrase}", "passive"),
            (f"what is a description of {noun_phrase}", "noun"),
        ]
    if phrase.head in _PICTURES:
        do = "do" if phrase.plural else "does"
        return [
            (f"what is shown in {noun_phrase}", "passive"),
            (f"what {do} {noun_phrase} show", "noun"),
            (f"what {phrase.be} {noun_phrase} about", "noun"),
            (f"what might be the content of {noun_phrase}", "noun"),
            (f"what can be seen in {noun_phrase}", "passive"),
        ]
    if noun_phrase.lower() in ("it", "him", "her", "them", "this", "that", "everything"):
        return [(f"what can be said about {noun_phrase}", "passive"), (f"what is known about {noun_phrase}", "passive")]
    indefinite = phrase.determiner in ("", "a", "an", "some", "any")
    return supply(noun_phrase, "described") if indefinite and phrase.core else thing(noun_phrase)


def clause(text: str) -> list[Question]:
    """Return questions for an indirect question: "why he left", "who the man is", "whether it is so"."""
    first = bare_words(text.split()[:1])[0] if text else ""
    who = _WHO.fullmatch(text)
    if who and "," not in who["who"]:
        plural = divide(who["who"]).plural
        return thing(f"the {'identities' if plural else 'identity'} of {_OBJECT_FORMS.get(who['who'], who['who'])}")
    if first == "why":
        return _reasons(text)
    if first == "which":
        text, first = f"what{text[len('which') :]}", "what"
    if first in ("what", "who"):
        return _what(text, first)
    if first in ("where", "when") and not text.lower().startswith("where to "):
        noun = "place" if first == "where" else "time"
        made: list[Question] = [(f"what {be} the {noun} {text}", "noun") for be in ("is", "might be", "could be")]
        return [*made, (f"what is known about {text}", "passive")]
    if text.lower().startswith("where to "):
        action = text[len("where to ") :]
        return [(f"what {be} a place to {action}", "noun") for be in ("is", "might be", "could be")]
    said: list[Question] = [(f"what is known about {text}", "passive"), (f"what can be said about {text}", "passive")]
    if first == "how":
        second = bare_words(text.split()[1:2])
        degree = not second or second[0] in ("many", "much") or is_adjective(second[0]) or is_adverb(second[0])
        ways: list[Question] = [(f"what {be} the way in which{text[len('how') :]}", "noun") for be in _be(text, "is")]
        return said if degree else [*ways, *said]
    return [(f"what shows {text}", "noun"), (f"what might show {text}", "noun"), *said]


def method(action: str) -> list[Question]:
    """Return questions for how to do an action."""
    return [
        (f"what is the best way to {action}", "noun"),
        (f"what steps are needed to {action}", "passive"),
        (f"what can be done to {action}", "passive"),
        (f"what might be a good way to {action}", "noun"),
        (f"what are the steps to {action}", "noun"),
    ]


def _own_view(phrase: Phrase) -> list[Question]:
    """Return questions for "your analysis of the plan"."""
    made: list[Question] = [(f"what {phrase.core} can be given {phrase.rest}", "passive")]
    if phrase.plural:
        return made
    article = "an" if phrase.core[:1].lower() in "aeiou" else "a"
    made.append((f"what could be {article} {phrase.core} {phrase.rest}", "noun"))
    if phrase.head in _SHOWING:
        made.append((f"what does {article} {phrase.core} {phrase.rest} show", "noun"))
    return made


def _turned(phrase: Phrase) -> list[Question]:
    """Return the question that asks for the noun by its own clause: "what message is conveyed by the man"."""
    if phrase.determiner not in ("the", "") or " and " in phrase.rest or " or " in phrase.rest:
        return []
    if phrase.participial:
        return [(f"what {phrase.core} {phrase.be} {phrase.rest}", "passive")]
    if phrase.relative:
        return [(f"what {phrase.core} {phrase.relative}", "noun")]
    asking = direct(f"what {phrase.core} {phrase.rest}", "what") if _opens_clause(phrase.rest) else None
    return [(asking.rstrip("?"), "noun")] if asking else []


def _opens_clause(rest: str) -> bool:
    """Return whether the modifiers are a clause without "that": "the person is wearing"."""
    found = bare_words(rest.split())
    return len(found) > 2 and found[0] in DETERMINERS | PRONOUNS and bool(AUXILIARIES & set(found[1:]))


def _shown(who: str) -> list[Question]:
    """Return the question for the identity of someone shown: "what person is shown in the image"."""
    phrase = divide(who)
    if phrase.determiner not in ("the", "this", "these") or phrase.head not in PERSONS or " or " in who:
        return []
    if phrase.participial:
        return [(f"what {phrase.core} {phrase.be} {phrase.rest}", "passive")]
    placed = bare_words(phrase.rest.split()[:1])[:1]
    return [(f"what {phrase.core} {phrase.be} shown {phrase.rest}", "passive")] if placed in (["in"], ["on"]) else []


def _reasons(text: str) -> list[Question]:
    made: list[Question] = [(f"what {be} the reason {text}", "noun") for be in ("is", "might be", "could be")]
    made.append((f"what can be said about {text}", "passive"))
    being = _WHY_BE.fullmatch(text)
    first = bare_words(being["rest"].split()[:1]) if being else []
    if being and first and first[0] not in PREPOSITIONS | DETERMINERS and " that " not in being["what"]:
        made.insert(0, (f"what makes {being['what']} {being['rest']}", "noun"))
    return made


def _what(text: str, first: str) -> list[Question]:
    made: list[Question] = []
    asking = direct(text, "what") if first == "what" else None
    if asking:
        made.append((asking.rstrip("?")[:1].lower() + asking.rstrip("?")[1:], "noun"))
    picture = re.fullmatch(r"what (?P<of>(?:the|this|that) \w+) is (?:showing|about)", text, re.I)
    if picture:
        return topic(picture["of"])
    copula = re.fullmatch(r"what (?P<noun>(?:the|this|their|his|her|its|these) .+) (?:is|are)", text, re.I)
    if copula and "," not in copula["noun"]:
        return thing(copula["noun"])
    return [*made, (f"what can be said about {text}", "passive"), (f"what is known about {text}", "passive")]


def _some(core: str) -> str:
    return core if bare_words(core.split()[:1])[0] in ("more", "other", "several", "some", "many") else f"some {core}"


def _be(noun_phrase: str, be: str) -> tuple[str, ...]:
    """Return the verbs of "what ... the name"; "might" is not repeated ("might be the events that might ...")."""
    return (be, "could be") if re.search(r"\b(?:might|may)\b", noun_phrase, re.I) else (be, "might be", "could be")
