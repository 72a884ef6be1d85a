"""Change the opener of a query and keep its meaning. Rule-based, deterministic, strings in, strings out.

`parse` finds what a query asks for, whichever way it asks; `realise` asks for it again with another opener.
Because the new wording depends on the request alone, it carries no trace of the opener that it replaced.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from unmirage.text.frames import FRAMES, MODALS, TELLING_VERBS, VERBS, WH_WORDS, RequestKind, frames_for
from unmirage.text.indirect import indirect, is_one_question
from unmirage.text.openers import capitalise, decapitalise, opener, words

_DETERMINERS = (
    "the",
    "a",
    "an",
    "this",
    "that",
    "these",
    "those",
    "his",
    "her",
    "their",
    "its",
    "your",
    "my",
)
# "Share this image" asks to pass it on, "share the recipe" asks to be told.
_PASSING_ON = ("share", "generate", "create", "provide", "give", "show", "present")
_MEDIA = re.compile(r"(?:this|the|that|these)\s+(?:image|picture|photo|meme|post|video|advert|screenshot)\w*\b", re.I)
_TAILS = re.compile(r"(?:,? please| for me| in detail| in a few words)$", re.I)
_PREPOSITIONS = frozenset("of in on at for from with by to about that which who whose shown depicted based as".split())


@dataclass(frozen=True, slots=True)
class Request:
    """What a query asks for.

    A thing ("the recipe"), an action ("fix the boat"), a clause ("who she is"), or the answer to a question that is
    quoted as it stands ("does she like it").
    """

    kind: RequestKind
    body: str


def rewrite(query: str, word: str, shots: int) -> list[str]:
    """Return up to `shots` different queries that open with `word` and ask what `query` asks.

    The query itself is never among them. A word that cannot open an English request is put in front.

    Args:
        query: any text; where no structure is recognised, it is quoted whole.
        word: the opener, in any case.
        shots: how many rewrites to make; fewer come back if the frames run out.
    """
    word = word.casefold()
    candidates = realise(parse(query), word) or _prefixed(query, word)
    return _distinct(candidates, query)[:shots]


def paraphrase(query: str, without: str, shots: int) -> list[str]:
    """Return up to `shots` paraphrases that keep the query's opener, unless that is the word `without`.

    A query that opens with that very word is made to open with "tell" (or "describe"). Paraphrases that use
    the word nowhere are preferred; where the request itself contains it ("who is she and what does she do"),
    none opens with it.
    """
    own = opener(query)
    without = without.casefold()
    kept = next(word for word in (own, "tell", "describe") if word not in ("", without))
    request = parse(query)
    candidates = realise(request, kept) or _with_tails(query)
    fitting = [text for text in candidates if without not in words(text)]
    return _distinct(fitting or candidates, query)[:shots]


def can_open(word: str) -> bool:
    """Return whether an English request can open with `word`, so that `rewrite` need not just put it in front."""
    return bool(frames_for("question", word.casefold()))


def realise(request: Request, word: str) -> list[str]:
    """Return every way in which `word` can open `request`; [] if it cannot open one at all."""
    body = request.body
    if request.kind == "action" and word in VERBS and opener(body) == word:
        return _with_tails(capitalise(body) + ".")
    return [_fill(frame, word, body) for frame in frames_for(request.kind, word)]


def parse(query: str) -> Request:
    """Return the request inside `query`; where no structure is recognised, the query as a quoted question."""
    text = " ".join(query.split())
    bare = decapitalise(text.rstrip(" .?!"))
    if len(re.findall(r"[.?!](?:\s|$)", text)) > 1:
        return Request("question", decapitalise(text.rstrip(" .?!")))
    return _from_frames(bare) or _from_imperative(bare) or _from_question(bare) or Request("question", bare)


def _from_frames(bare: str) -> Request | None:
    """Match the frames that fix their own wording (not those of a bare verb or "what is")."""
    first = opener(bare)
    for kind, pattern in _patterns(first):
        match = pattern.fullmatch(bare)
        if match:
            body = match["x"]
            return _from_imperative(body) or Request("action", body) if kind == "action" else Request(kind, body)
    return None


@cache
def _patterns(first: str) -> tuple[tuple[RequestKind, re.Pattern[str]], ...]:
    found: list[tuple[RequestKind, re.Pattern[str]]] = []
    kinds: tuple[RequestKind, ...] = ("question", "thing", "action")
    for kind in kinds:
        frames = FRAMES[kind].get(first, ()) or (FRAMES["question"]["verb"] if kind == "question" else ())
        for frame in sorted(frames, key=len, reverse=True):  # "... {x} in detail" before "... {x}"
            if "{be}" in frame or (first == "please" and frame == "{w} {x}."):
                continue
            body = re.escape(frame.rstrip(".?")).replace(r"\{w\}", re.escape(first))
            found.append((kind, re.compile(body.replace(r"\{x\}", "(?P<x>.+)"), re.I)))
    return tuple(found)


def _from_imperative(bare: str) -> Request | None:
    first = opener(bare)
    if first == "please":
        return _from_imperative(bare[len("please") :].lstrip(" ,"))
    if first in MODALS:
        match = re.fullmatch(rf"{first} you (?:please )?(?P<x>.+)", bare, re.I)
        return _from_imperative(match["x"]) or Request("action", match["x"]) if match else None
    if first not in VERBS:
        return None
    core = _TAILS.sub("", bare)
    told = re.sub(r"^\w+\s+(?:(?:me|us)\s+)?(?:(?:all\s+)?about\s+)?", "", core)
    return Request("thing", told) if _is_told(first, told) else Request("action", core)


def _is_told(verb: str, told: str) -> bool:
    """Decide whether a telling verb's object is the thing wanted, not something to be acted upon."""
    if verb not in TELLING_VERBS or not told or opener(told) in (*WH_WORDS, "if", "whether", "how"):
        return False
    if re.search(r"\b(?:and|or|by|to)\s+(?:" + "|".join(sorted(VERBS)) + r")\b|\b(?:by|while)\s+\w+ing\b", told, re.I):
        return False
    if verb in _PASSING_ON:
        return told.split()[0].casefold() in _DETERMINERS and not _MEDIA.match(told)
    return True


def _from_question(bare: str) -> Request | None:
    """Read "what is she holding" as "what she is holding", and "what is the X of Y" as the thing "the X of Y"."""
    clause = indirect(bare)
    return Request("clause", clause) if clause else _from_copula(bare)


def _from_copula(bare: str) -> Request | None:
    match = re.fullmatch(r"what(?:\s+(?:is|are|was|were)|['’]s)\s+(?P<x>.+)", bare, re.I)
    if not match:
        return None
    body = match["x"]
    if body.split()[0].casefold() not in _DETERMINERS or not is_one_question(body):
        return None
    return Request("thing", body)


def _fill(frame: str, word: str, body: str) -> str:
    be = "are" if _is_plural(body) else "is"
    return capitalise(frame.format(w=word, x=body, be=be))


def _is_plural(noun_phrase: str) -> bool:
    """Guess from the head noun: the last word before the first preposition or relative word."""
    head = ""
    for word in words(noun_phrase):
        if head and (word in _PREPOSITIONS or word.endswith("ing")):
            break
        head = word
    irregular = ("people", "men", "women", "children", "these", "those")
    return head in irregular or (head.endswith("s") and not head.endswith(("ss", "us", "is")))


def _prefixed(query: str, word: str) -> list[str]:
    return _with_tails(f"{capitalise(word)}, {decapitalise(query.strip())}")


def _with_tails(query: str) -> list[str]:
    stem, end = query.rstrip(" .?!"), "?" if query.rstrip().endswith("?") else "."
    tails = ("", " for me", " in detail", " in a few words", ", please", ", if you can")
    return [stem + tail + end for tail in tails]


def _distinct(candidates: list[str], query: str) -> list[str]:
    seen = {tuple(words(query))}
    kept = []
    for text in candidates:
        key = tuple(words(text))
        if key not in seen:
            seen.add(key)
            kept.append(text)
    return kept
