"""A request and an opener in, all wordings of the request that open with it out, best first."""

from __future__ import annotations

import re

from unmirage.text.direct import direct, opined
from unmirage.text.frames import TOPIC_VERBS, VERBS, frames_for
from unmirage.text.lexicon import AUXILIARIES, WH
from unmirage.text.nouns import bare, is_concrete
from unmirage.text.number import is_plural
from unmirage.text.openers import capitalise, opener
from unmirage.text.request import Request

TAILS = ("", ", please", ", if you can", " in detail", " in a few words", " for me")
FOREIGN_ENDS = tuple("\u3002\uff1f\uff01\u061f\u0964\u2026")
_LONG = 12  # words of a noun phrase that can still stand between "what" and "can you give me"
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
    """Return every way in which `word` can open `request`; [] if it cannot open one at all."""
    body = request.body
    if request.kind in ("action", "product") and word in VERBS and opener(body[:200]) == word:
        return with_tails(capitalise(body) + ".")
    made = [_fill(frame, word, request) for frame in _frames(request, word)]
    if request.kind == "clause":
        asked = direct(body, word)
        made = [capitalise(text) for text in (asked, *opined(body, word)) if text] + made
    return made


def with_tails(query: str) -> list[str]:
    """Return the query itself, and once with each of the tails that change nothing of what it asks."""
    stem, end = query.rstrip(" .?!"), "?" if query.rstrip().endswith("?") else "."
    return [stem + tail + end for tail in TAILS]


def _frames(request: Request, word: str) -> tuple[str, ...]:
    if request.kind == "topic" and word in TOPIC_VERBS and is_concrete(request.body):
        return TOPIC_VERBS[word]
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
    if request.kind == "action" and body.startswith("not "):
        frame = _negated(frame)
    slots = {
        "w": word,
        "x": body,
        "not": "not to " + body.removeprefix("not "),
        "be": "are" if is_plural(body) else "is",
        "bare": bare(thing),
        "o": thing,
        "v": verb,
    }
    if request.kind == "question":
        frame = _quoting(frame, word, body)
    return capitalise(re.sub(r"\{(\w+)\}", lambda slot: slots[slot[1]], frame))


def _quoting(frame: str, word: str, body: str) -> str:
    """Return the frame with the end mark that the quoted text asks for."""
    if body[-1:] in FOREIGN_ENDS:
        return frame.rstrip("?")
    return frame if word in WH | AUXILIARIES or opener(body[:200]) in WH | AUXILIARIES else frame.rstrip("?") + "."


def _negated(frame: str) -> str:
    """Return a frame for "not V": "not to V" for "to V", and "do not V" for a command."""
    if "to {x}" in frame:
        return frame.replace("to {x}", "{x}").replace("{x}", "{not}")
    return frame.replace("{w} {x}", "{w} do {x}")


def _split_product(body: str) -> tuple[str, str]:
    """Return verb and object: "write me a poem" gives "write me", "a poem"."""
    match = re.match(r"(?P<verb>\S+(?: me| us)?) (?P<object>.+)", body)
    return (match["verb"], match["object"]) if match else (body, body)
