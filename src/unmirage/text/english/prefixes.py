"""Word requests with an opener of several words: "could you please", "tell me", "what are"."""

from __future__ import annotations

import re

from unmirage.text.english.inflection import TELLING_VERBS
from unmirage.text.english.leads import commands
from unmirage.text.english.lexicon import AUXILIARIES, WH
from unmirage.text.english.meaning import Request
from unmirage.text.english.nouns import bare, is_concrete, is_plural
from unmirage.text.english.realise import realise
from unmirage.text.openers import opener, words

_ACTS = ("action", "product")
_ACTIONS = (*_ACTS, "method")
_YOU = r"(?:you|someone|anyone|somebody|anybody|we|i)"
_COMMAND = re.compile(
    rf"(?:.* )?(?:can|could|would|will) {_YOU}(?: please| kindly)?|(?:.* )?(?:please|kindly)|.*\bto|let(?:'s| us| me)",
    re.I,
)
_ENDINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"(?:is|was) there", ("a way to {vp}", "anything you can do to {vp}", "any chance that you can {vp}")),
    (r"(?:is|was) it", ("possible to {vp}", "too much to ask you to {vp}")),
    (r"(?:are|were) (?:you|we|they)", ("able to {vp}", "willing to {vp}")),
    (r"are there", ("any ways to {vp}", "good ways to {vp}")),
    (r"(?:i|we) (?:want|need|expect|would like|ask)", ("you to {vp}",)),
    (r"who (?:is|are)", ("able to {vp}", "willing to {vp}")),
    (r"where (?:is|are)", ("the best place to ask you to {vp}",)),
    (r"(?:can|could|may|might) (?:i|we)", ("ask you to {vp}",)),
)
_NOUNS: dict[str, tuple[str, ...]] = {
    "is": ("the truth about {y}", "known about {y}", "there to say about {y}", "your view on {y}"),
    "are": ("the facts about {y}", "your thoughts on {y}", "the main points about {y}", "you able to say about {y}"),
    "the": ("facts about {y}", "main points about {y}", "truth about {y}"),
    "a": ("short note on {y}", "few words on {y}", "brief account of {y}"),
    "an": ("account of {y}", "answer on {y}", "overview of {y}"),
}
_WAYS: dict[str, tuple[str, ...]] = {
    "is": ("the best way to {x}", "the way to {x}", "a good way to {x}"),
    "are": ("the steps to {x}", "the best ways to {x}", "some good ways to {x}"),
    "the": ("best way to {x}", "steps to {x}", "way to {x}"),
    "a": ("way to {x}", "good way to {x}", "plan to {x}"),
    "an": ("easy way to {x}", "answer as to how to {x}"),
}
_AS_IT_IS = re.compile(
    r"(?:.* )?(?:tell|show|teach|let) (?:me|us)(?: know| please)?|(?:.* )?(?:to know|wonder|know)", re.I
)
_GIVEN = re.compile(r"(?:.* )?(?:give|send|provide|hand) (?:me|us)(?: with)?", re.I)
_ADVERBIAL = re.compile(
    r"\w+ (?:with (?:me|us|everyone)|to (?:me|us)|for (?:me|us)|in detail|briefly|clearly|in full)", re.I
)


def opened(request: Request, prefix: str) -> list[str]:
    """Return the wordings of `request` that open with `prefix`; [] if there are none."""
    end = "?" if opener(prefix) in WH | AUXILIARIES else "."
    made = [text for text in realise(request, opener(prefix)) if opens_with(text, prefix)]
    made += [f"{prefix} {rest}{end}" for rest in _rests(request, prefix)]
    if _ADVERBIAL.fullmatch(prefix) and opener(prefix) in TELLING_VERBS:
        made += [prefix + text[len(opener(prefix)) :] for text in realise(request, opener(prefix))]
    return made


def opens_with(text: str, prefix: str) -> bool:
    """Return whether `text` opens with the words of `prefix`, ignoring case."""
    wanted = words(prefix)
    return words(text[: 4 * len(prefix) + 40])[: len(wanted)] == wanted


def _rests(request: Request, prefix: str) -> list[str]:
    if _AS_IT_IS.fullmatch(prefix):
        return _told(request)
    if _GIVEN.fullmatch(prefix):
        return _given(request)
    if _COMMAND.fullmatch(prefix):
        return commands(request)
    for pattern, rests in _ENDINGS:
        if re.fullmatch(pattern, prefix, re.I):
            return [rest.replace("{vp}", command) for command in commands(request) for rest in rests]
    last = words(prefix)[-1]
    if last in ("about", "regarding", "on") and len(words(prefix)) > 1:
        return [_as_noun(request)]
    if re.fullmatch(r"(?:do|did) you", prefix, re.I):
        return [f"know {told}" if told.startswith(("how", "about")) or request.kind == "clause" else f"have {told}"
                for told in _told(request)]  # fmt: skip
    if last in _NOUNS and (opener(prefix) == "what" or opener(prefix) in TELLING_VERBS):
        return _noun_phrases(request, last)
    return []


def _told(request: Request) -> list[str]:
    if request.kind in _ACTS:
        return [f"that you will {request.body}", f"that you can {request.body}", f"once you {request.body}"]
    if request.kind == "method":
        return [f"how to {request.body}", f"the best way to {request.body}", f"a way to {request.body}"]
    if request.kind == "clause":
        return [request.body]
    if request.kind == "supply":
        return [request.body, f"about {request.body}"]
    return [f"about {_as_noun(request)}", f"all about {_as_noun(request)}", f"something about {_as_noun(request)}"]


def _given(request: Request) -> list[str]:
    if request.kind in _ACTS:
        return [f"the result once you {request.body}", f"the outcome once you {request.body}"]
    if request.kind == "method":
        return [f"a way to {request.body}", f"instructions to {request.body}", f"the steps to {request.body}"]
    if request.kind == "supply" or (request.kind == "thing" and not is_concrete(request.body)):
        return [request.body, f"some details on {request.body}"]
    return [f"some information on {_as_noun(request)}", f"an account of {_as_noun(request)}"]


def _as_noun(request: Request) -> str:
    if request.kind in _ACTIONS:
        return f"how to {request.body}"
    return {"claim": f"the claim that {request.body}", "question": f"this: {request.body}"}.get(
        request.kind, request.body
    )


def _noun_phrases(request: Request, last: str) -> list[str]:
    if request.kind in _ACTIONS:
        return [way.replace("{x}", request.body) for way in _WAYS[last]]
    if request.kind == "supply":
        lead = {"is": "there in the way of ", "are": "some ", "the": "", "a": "short note on ", "an": "overview of "}[
            last
        ]
        return [lead + (request.body if last == "is" else bare(request.body)), *_general(request, last)[1:]]
    return _general(request, last)


def _general(request: Request, last: str) -> list[str]:
    made = [noun.replace("{y}", _as_noun(request)) for noun in _NOUNS[last]]
    fits = request.kind == "thing" and last in ("is", "are") and is_plural(request.body) == (last == "are")
    return [request.body, *made] if fits else made
