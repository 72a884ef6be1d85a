"""Make the "what" wordings of a query: split it into its requests, word each, and join them again."""

from __future__ import annotations

import re
from itertools import islice

from unmirage.text.english.inflection import TELLING_VERBS
from unmirage.text.english.meaning import Request
from unmirage.text.english.parse import parse
from unmirage.text.english.wordings.act import done, made
from unmirage.text.english.wordings.ask import Question, asked
from unmirage.text.openers import capitalise
from unmirage.text.sentences import sentences, without_filler

_POLITE = re.compile(r"(?:(?:can|could|would|will) you (?:please |kindly )?|please |kindly )", re.I)
_VERBS = frozenset(TELLING_VERBS) | frozenset(
    "speculate comment elaborate suggest estimate assess analyze analyse evaluate determine make guess recommend "
    "confirm offer write infer".split()
)
_NOUNS = frozenset("share show report detail state list name comment estimate guess present outline offer".split())
_DETERMINED = frozenset(
    "the a an this these that those their his her its any some your my on about upon who what where why how when "
    "whether if us me".split()
)
_NEXT = re.compile(r",? (?P<link>and then|and|or|then)(?: also)? (?P<rest>(?P<verb>[a-z]+) (?P<after>\S+).*)", re.I)
_NEXT_QUESTION = re.compile(
    r",? (?P<link>and|or) (?P<rest>(?:what|who|where|why|when|how|can|could|is|are|do|does)\b \S+ .+)", re.I
)
_QUESTION = re.compile(r"(?:what|who|where|why|when|how|which|is|are|do|does)\b", re.I)
_MOST_PARTS = 3


def questions(query: str) -> list[Question]:
    """Return the "what" wordings of a query in noun and passive form, best first, capitalized and with their mark."""
    text = " ".join(query.split())
    found = sentences(without_filler(text))
    parts = _parts(without_filler(text).rstrip(" .?!")) if len(found) == 1 else []
    worded = _joined(parts) if len(parts) > 1 else []
    rest = ""
    if not worded:
        request = parse(text)
        worded, rest = _of(request), request.rest
    made_so_far: dict[str, Question] = {}
    for question, family in worded:
        asking = _tidy(question)
        made_so_far.setdefault(asking, (f"{asking} {rest}" if rest else asking, family))
    return list(made_so_far.values())


def _of(request: Request) -> list[Question]:
    if request.kind == "product":
        return made(request.body)
    if request.kind == "action":
        return done(request.body)
    if request.kind == "claim":
        return [
            (f"what can be said about the claim that {request.body}", "passive"),
            (f"what is the truth of the claim that {request.body}", "noun"),
        ]
    if request.kind == "question":
        if request.body[-1:] in ".?!\u3002\uff1f\uff01" or len(request.body) > 300:
            return []
        return [(f"what {be} the answer to this: {request.body}", "noun") for be in ("is", "might be", "could be")]
    return asked(request)


def _parts(text: str) -> list[tuple[str, str]]:
    """Return the requests of a sentence, each with the word that links it to the one before ("" for the first)."""
    polite = _POLITE.match(text)
    rest, link = text[polite.end() if polite else 0 :], ""
    questioned = not polite and bool(_QUESTION.match(rest))
    found: list[tuple[str, str]] = []
    while len(found) < _MOST_PARTS:
        cut = _cut(rest, questioned=questioned)
        if cut is None:
            break
        at, next_link, following = cut
        found.append((link, rest[:at]))
        rest, link = following, next_link
    return [*found, (link, rest)]


def _cut(text: str, *, questioned: bool) -> tuple[int, str, str] | None:
    """Return where the first request ends, the word that links it to the next, and what follows."""
    for at in (match.start() for match in re.finditer(r",? (?:and|or|then) ", text, re.I)):
        if len(text[:at].split()) < 2:
            continue
        if questioned:
            match = _NEXT_QUESTION.fullmatch(text[at:])
            if match:
                return at, match["link"], match["rest"]
            continue
        match = _NEXT.fullmatch(text[at:])
        if match and match["verb"].lower() in _VERBS:
            noun = match["verb"].lower() in _NOUNS and match["after"].lower().strip(",") not in _DETERMINED
            infinitive = re.search(r"\b(?:to|can|could|should|would|will|might|may) \w+(?: \S+){0,4}$", text[:at])
            if not noun and not infinitive:
                return at, "or" if match["link"].lower() == "or" else "and", match["rest"]
    return None


def _joined(parts: list[tuple[str, str]]) -> list[Question]:
    """Return the questions of all parts, joined; [] if a part asks for an action."""
    requests = [parse(capitalise(text) + ("?" if _QUESTION.match(text) else ".")) for _, text in parts]
    if any(request.kind in ("action", "question", "claim") or request.rest for request in requests):
        return []
    each = [_of(request) for request in requests]
    if not all(each):
        return []
    found: list[Question] = []
    for place, (text, family) in enumerate(islice(each[0], 6)):
        whole = text
        for (link, _), own in zip(parts[1:], each[1:], strict=True):
            whole += f", {link} {own[place % min(2, len(own))][0]}"
        found.append((whole, family))
    return found


def _tidy(question: str) -> str:
    return capitalise(" ".join(question.split()).replace(" ,", ",").rstrip(" ,.?!")) + "?"
