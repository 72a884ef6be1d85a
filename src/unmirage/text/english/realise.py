"""Word a request with a given opener, best wording first."""

from __future__ import annotations

import re
from dataclasses import replace

from unmirage.text.english.acts import COUNTING, NEGATED_FRAMES
from unmirage.text.english.frames import COUNTED_DETAILS, GIVEN_WHEN_TOLD, TOPIC_VERBS, frames_for
from unmirage.text.english.inflection import VERBS, third_persons
from unmirage.text.english.lexicon import (
    AUXILIARIES,
    BASE_VERBS,
    BE,
    HAVE,
    MODALS,
    PREPOSITIONS,
    STRONG_VERBS,
    WH,
    is_adjective,
    is_adverb,
    is_participle,
)
from unmirage.text.english.meaning import Request
from unmirage.text.english.nouns import bare, is_concrete, is_given, is_plural, listable
from unmirage.text.english.subjects import bare_words, starts_noun_phrase
from unmirage.text.english.variety import given_text, with_tail
from unmirage.text.openers import capitalise, opener

_INSIDE = frozenset("who which that where when why how if whether because while what".split())
_OPINION = frozenset("think say believe".split())
_WHETHER = BE | MODALS | HAVE


def direct(clause: str, word: str) -> str | None:
    """Return the direct question for `clause` if it opens with `word` and its structure is certain, else None."""
    tokens = clause.split()
    bare = bare_words(tokens)
    if len(bare) < 3 or "," in clause.rstrip(",") or {"and", "or"} & set(bare):
        return None
    at = next((place for place, token in enumerate(bare) if token in AUXILIARIES), None)
    if at is None or at == 0 or _INSIDE & set(bare[1:at]) or sum(token in AUXILIARIES for token in bare) > 1:
        return None
    if bare[0] == "whether":
        turned = bare[at] == word and word in _WHETHER and at > 1
        return " ".join([tokens[at], *tokens[1:at], *tokens[at + 1 :]]) + "?" if turned else None
    if bare[0] != word or word not in WH:
        return None
    subject = next(
        (place for place in range(2 if bare[1] in ("many", "much") else 1, at) if _starts(tokens, bare, place)), None
    )
    if subject is None:
        plain = word in ("what", "who", "which") or (word == "how" and bare[1] in ("many", "much"))
        return " ".join(tokens) + "?" if plain and at < len(tokens) - 1 else None
    if any(_is_finite(token) for token in bare[subject + 1 : at]):
        return None
    return " ".join([*tokens[:subject], tokens[at], *tokens[subject:at], *tokens[at + 1 :]]) + "?"


def _is_finite(word: str) -> bool:
    """Return whether `word` looks like a verb, so that a following auxiliary belongs to another clause."""
    return word in STRONG_VERBS or word == "to" or word in third_persons(BASE_VERBS)


def opined(clause: str, word: str) -> list[str]:
    """Return questions for an opinion on `clause` that open with `word`: "What would you say he is holding?"."""
    tokens = clause.split()
    bare = bare_words(tokens)
    if bare[0] != word or word not in WH or "," in clause:
        return []
    if any(word in ("and", "or") and WH & set(bare[place + 1 : place + 3]) for place, word in enumerate(bare)):
        return []
    cut = _behind_question_phrase(tokens, bare)
    if cut is None or bare[cut] == "you":
        return []
    if "would" in bare:
        return [" ".join([*tokens[:cut], "do you think", *tokens[cut:]]) + "?"]
    return [" ".join([*tokens[:cut], asking, *tokens[cut:]]) + "?" for asking in ("would you say", "do you think")]


def _behind_question_phrase(tokens: list[str], bare: list[str]) -> int | None:
    """Return where "what type of drink" ends: before the auxiliary or the subject, whichever comes first."""
    measured = bare[1] in ("many", "much", "often", "long", "far", "old") or is_adjective(bare[1]) or is_adverb(bare[1])
    if bare[0] in ("why", "when", "where") or (bare[0] == "how" and not measured):  # "why trans people are"
        return None if _OPINION & set(bare) else 1
    first = 2 if bare[1:2] in (["many"], ["much"]) else 1
    starts = (place for place in range(first, len(bare)) if bare[place] in AUXILIARIES or _starts(tokens, bare, place))
    cut = next(starts, None)
    if cut is None or _OPINION & set(bare) or _INSIDE & set(bare[1:cut]):
        return None
    if cut == len(bare) - 1 and cut > 3 and bare[cut] in BE:  # "what kind of drug | meth is"
        return cut - 1
    doing = (
        is_participle(word)
        or (place == 1 and word in third_persons(STRONG_VERBS))
        or (word in STRONG_VERBS and place > 1 and bare[place - 1] != "of")
        for place, word in enumerate(bare[:cut])
    )
    return None if any(doing) else cut


def _starts(tokens: list[str], bare: list[str], place: int) -> bool:
    """Return whether a subject starts at `place`; a capitalized name continues the phrase before it."""
    named = tokens[place][:1].isupper() and bare[place] != "i"
    return starts_noun_phrase(bare[place]) and bare[place - 1] not in PREPOSITIONS and not named


TAILS = ("", ", please", ", if you can", " in detail", " in a few words", " for me")
_ACT_TAILS = ("", ", please", ", if you can", ", if you would", ", if possible")  # "share it in detail" is wrong
# Behind a yes-no question, where an instruction how to answer does not fit.
_ASKED_TAILS = ("", ", in your view", ", as far as you can tell", ", would you say", ", to the best of your knowledge")
FOREIGN_ENDS = tuple("\u3002\uff1f\uff01\u061f\u0964\u2026")
_ASKS_YOU = re.compile(r"\b(?:can|could|would|will) you\b[^.?!]*\?\s*$", re.I)
_LIST = re.compile(r"(?:\w+ (?:me )?)?(?:a|the) (?:\w+ )?list of (?=\w)", re.I)  # "list a list of tips"
_LONG = 12  # maximum words of a noun phrase between "what" and "can you give me"
_LONG_SUPPLY = (
    "{w} can you give me in the way of {x}?",
    "{w} can you offer me in the way of {x}?",
    "{w} do you have in the way of {x}?",
    "{w} could you offer in the way of {x}?",
)
_LONG_PRODUCT = (
    "{w} can you {v} in the way of {o}?",
    "{w} would you {v} in the way of {o}?",
    "{w} would you do to {x}?",
    "{w} is the best way to {x}?",
)


def realise(request: Request, word: str) -> list[str]:
    """Return all wordings of `request` that open with `word`; [] if there are none."""
    head, colon, given = given_text(request.body)
    if colon:
        wordings = realise(replace(request, body=head), word)
        ends = re.search(r"[.?!][\"'”’)]*$", given)
        return [text[:-1] + colon + given + ("" if ends else text[-1:]) for text in wordings]
    body = request.body
    listed = _LIST.match(body) if word == "list" else None
    if listed:
        return realise(replace(request, kind="supply", body=body[listed.end() :]), word)
    if request.kind in ("action", "product") and word in VERBS and opener(body[:200]) == word:
        return [with_tail(capitalise(body) + ".", tail) for tail in _ACT_TAILS]
    made = [_fill(frame, word, request) for frame in _frames(request, word)]
    if request.kind == "clause":
        asked = direct(body, word)
        made = [capitalise(text) for text in (asked, *opined(body, word)) if text] + made
    return made


def with_tails(query: str) -> list[str]:
    """Return the query with each of `TAILS`, which do not change its meaning."""
    return [with_tail(query, tail) for tail in TAILS]


def with_fitting_tails(query: str, request: Request) -> list[str]:
    """Return the query with tails that fit what it asks: an act, a yes-no question, or anything else."""
    acts = request.kind in ("action", "product", "claim") or _ASKS_YOU.search(query)
    tails = _ACT_TAILS if acts else _ASKED_TAILS if query.rstrip().endswith("?") else TAILS
    return [with_tail(query, tail) for tail in tails]


def _frames(request: Request, word: str) -> tuple[str, ...]:
    if request.kind == "topic" and word in TOPIC_VERBS and is_concrete(request.body):
        return TOPIC_VERBS[word]
    if request.kind == "action" and request.body.startswith("not "):
        return NEGATED_FRAMES.get(word, NEGATED_FRAMES["verb"] if word in VERBS else ())
    if word in COUNTING and request.kind in ("thing", "supply", "topic") and not listable(request.body):
        return COUNTED_DETAILS
    if request.kind == "supply" and word == "tell" and is_given(request.body):
        return GIVEN_WHEN_TOLD
    frames = frames_for(request.kind, word)
    if word in ("what", "which") and (len(request.body.split()) > _LONG or "," in request.body):
        if request.kind == "supply":
            return _LONG_SUPPLY if word == "what" else frames_for("topic", word)
        if request.kind == "product":
            return _LONG_PRODUCT if word == "what" else frames_for("action", word)
    return frames


def _fill(frame: str, word: str, request: Request) -> str:
    body = request.body
    verb, thing = _split_product(body) if request.kind == "product" else ("", body)
    slots = {
        "w": word,
        "x": body.removeprefix("not ") if request.kind == "action" else body,
        "be": "are" if is_plural(body) else "is",
        "bare": bare(thing),
        "o": thing,
        "v": verb,
    }
    if request.kind == "question":
        frame = _quoting(frame, word, body)
    return capitalise(re.sub(r"\{(\w+)\}", lambda slot: slots[slot[1]], frame))


def _quoting(frame: str, word: str, body: str) -> str:
    """Return the frame with the end mark that fits the quoted text."""
    if body[-1:] in FOREIGN_ENDS:
        return frame.rstrip("?")
    return frame if word in WH | AUXILIARIES or opener(body[:200]) in WH | AUXILIARIES else frame.rstrip("?") + "."


def _split_product(body: str) -> tuple[str, str]:
    """Return verb and object: "write me a poem" gives "write me", "a poem"."""
    match = re.match(r"(?P<verb>\S+(?: me| us)?) (?P<object>.+)", body)
    return (match["verb"], match["object"]) if match else (body, body)
