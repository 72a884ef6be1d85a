"""Split a query into sentences, and split a leading adjunct ("based on the picture, ...") from a request."""

from __future__ import annotations

import re

from unmirage.text.openers import words

_END = re.compile(r"(?<=[.?!])[\"'”’)]*\s+(?=\S)")
_ABBREVIATIONS = frozenset("mr mrs ms dr st vs etc e.g i.e u.s no prof jr sr inc fig approx".split())
_FILLER = re.compile(
    r"(?:hello|hi|hey|ok|okay|well|so|now|then|alright|yes|sure|kindly|dear \w+|thanks|thank you)"
    r"(?: there| assistant| chatgpt)?[,!.:]?\s+(?=\w)",
    re.I,
)
_FRONTS = frozenset(
    "based according in from given considering judging looking using with without for if when as at on after by to "
    "assuming while before during unlike despite regarding inspired under over since because upon across among of "
    "apart aside besides next similar within".split()
)
_JOINED_BARE = frozenset("in on at from for".split())
_SHORT = 7


def sentences(text: str) -> list[str]:
    """Return the sentences of one line with their end marks."""
    found: list[str] = []
    start = 0
    for match in _END.finditer(text):
        last = text[start : match.start()].split()[-1:]
        word = last[0].rstrip(".").casefold() if last else ""
        dotted = bool(last) and last[0].endswith(".")
        marked = bool(last) and last[0].endswith("!") and text[match.end()].islower()  # "Buy OH-! because ..."
        if marked:
            continue
        if dotted and (word in _ABBREVIATIONS or word.isdigit() or (len(word) == 1 and word != "i")):
            continue
        found.append(text[start : match.end()].strip())
        start = match.end()
    return [*found, text[start:]] if text[start:] or not found else found


def without_filler(sentence: str) -> str:
    """Return the sentence without leading greetings and fillers."""
    while match := _FILLER.match(sentence):
        sentence = sentence[match.end() :]
    return sentence


def fronted(sentence: str) -> list[tuple[str, str]]:
    """Return the possible splits at a comma into a leading adjunct and a request."""
    if (words(sentence[:40]) or [""])[0] not in _FRONTS:
        return []
    commas = list(re.finditer(r", (?:please )?", sentence))[:4]
    return [(sentence[: comma.start()], sentence[comma.end() :]) for comma in commas]


def with_adjunct(body: str, front: str) -> str:
    """Append an adjunct to a request."""
    tight = front.split()[0].casefold() in _JOINED_BARE and len(front.split()) < _SHORT and "," not in front
    return f"{body}{' ' if tight else ', '}{front[:1].lower() + front[1:]}"
