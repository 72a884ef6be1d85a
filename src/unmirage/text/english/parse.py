"""Find the request in a query, independent of its wording."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

from unmirage.text.english.acts import ACTION_FRAMES
from unmirage.text.english.frames import FRAMES, RequestKind
from unmirage.text.english.imperatives import PREPARING, from_command
from unmirage.text.english.indirect import indirect
from unmirage.text.english.inflection import MODALS, WH_WORDS, gerund_base, third_persons
from unmirage.text.english.lexicon import (
    AUXILIARIES,
    BASE_VERBS,
    DETERMINERS,
    PREPOSITIONS,
    PRONOUNS,
    STRONG_VERBS,
    WEAK_VERBS,
    WH,
    is_participle,
)
from unmirage.text.english.meaning import Request
from unmirage.text.english.nouns import from_noun_phrase, is_plural_noun
from unmirage.text.english.subjects import bare_words
from unmirage.text.english.wrapped import HELPING, WRAPPED
from unmirage.text.openers import capitalise, decapitalise, opener
from unmirage.text.sentences import fronted, sentences, with_adjunct, without_filler

_LONGEST = 3000  # characters; longer queries are quoted verbatim
_ENDS = " .?!"
_SEEING = re.compile(
    r"(?:can|could) (?:you|one) (?:see|hear|spot|notice|detect|feel|understand|recogni[sz]e if)\b", re.I
)
_COPULA = re.compile(r"(?:what|which)(?:\s+(?:is|are|was|were)|['’]s)\s+(?P<x>.+)", re.I)
_PLURAL_COPULA = re.compile(r"what (?:are|were) (?P<x>(?:\S+ ){2,}\S+)", re.I)
_QUESTION_WORDS = (
    "what|which|who|whose|where|when|why|how|is|are|was|were|can|could|do|does|did|has|have|will|would|should"
)
_ASKING = rf"(?=(?:(?:from|in|at|for|on|to|of|with|by) (?=what|which|whom|whose))?(?:{_QUESTION_WORDS})\b)"
_LINK = re.compile(rf"(?P<link>,? (?:and|or|but)(?: also| if so,?)? |; ?|, ){_ASKING}", re.I)
_LEFT = re.compile(
    r" (?:and|or) (?P<x>(?:should|can|could|will|would|is|are|do|does) (?:i|you|it|he|she|they|we|this|the)\b.*)", re.I
)
_WHAT_IF = re.compile(r"what (?:if|happens if|would happen if|happens when) (?P<x>.+)", re.I)
_HOW_COME = re.compile(r"how come (?P<x>.+)", re.I)
_TO_KNOW = re.compile(
    r"(?:better )?(?:understand|know|learn|find out)(?:ing)?(?: more)?(?: about)? (?P<x>(?!to ).+)", re.I
)
_SHORT = 9
_EXACTLY = re.compile(
    r"(?:exactly|just|precisely|roughly|approximately),? (?=(?:what|which|who|where|when|why|how)\b)", re.I
)
# A statement and a request in one sentence, and the words that the request begins with.
_AFTER = r"(?:[,;]|,? (?:and|so|but|then)) "
_WITH = "please|kindly|can you|could you|would you|will you|(?:help|tell|give|show|advise|teach) me|let me know"
_ASKED_FOR = re.compile(rf"{_AFTER}(?=(?:{_WITH})\b)", re.I)
_BEHIND = re.compile(rf"{_AFTER}(?=(?:{_WITH}|can i|should i|what|which|who|where|when|why|how)\b)", re.I)


def parse(query: str) -> Request:
    """Return the request in `query`; a quoted question if the structure is not recognized."""
    text = " ".join(query.split())
    if len(text) > _LONGEST:
        return Request("question", decapitalise(text.rstrip(_ENDS)))
    found = sentences(without_filler(text))
    if len(found) == 1:
        return _sentence(text)
    requests = [_sentence(sentence) for sentence in found]
    main = _main(requests, found)
    if main is None:
        main = next((place for place, request in enumerate(requests) if request.kind == "claim"), None)
    if main is None:
        return Request("question", decapitalise(text.rstrip(_ENDS)))
    around = [*found[:main], requests[main].rest, *found[main + 1 :]]
    return replace(requests[main], rest=" ".join(sentence for sentence in around if sentence))


def _main(requests: list[Request], found: list[str]) -> int | None:
    """Return the index of the sentence with the request; None if there is none."""
    asking = [place for place, request in enumerate(requests) if request.kind not in ("claim", "question")]
    firm = [place for place in asking if not _prepares(requests[place], found[place])]
    return next(iter([*firm, *asking]), None)


def _prepares(request: Request, sentence: str) -> bool:
    if request.kind == "topic" and len(request.body) + 1 >= len(sentence):
        return True  # a fragment
    if request.kind == "method" and opener(without_filler(sentence)) in ("i", "we"):
        return True  # "I want to go there. Which way is it?"
    return request.kind == "action" and opener(request.body) in PREPARING | {"not"}


def _sentence(text: str) -> Request:
    bare = decapitalise(without_filler(text).rstrip(_ENDS))
    firm = _behind_statement(bare, _ASKED_FOR) if opener(bare) in ("i", "we") else None
    found = firm or _request(bare)
    if found:
        return found
    for front, rest in fronted(bare):
        inner = _request(decapitalise(rest))
        if inner and inner.kind not in ("claim", "question"):
            return replace(inner, body=with_adjunct(inner.body, front))
    return (
        _behind_statement(bare, _BEHIND)
        or _statement(bare, asked=text.rstrip().endswith("?"))
        or Request("question", bare)
    )


def _behind_statement(bare: str, cue: re.Pattern[str]) -> Request | None:
    """Return the request behind a statement: "My car is out of gas, please name a station"."""
    for match in cue.finditer(bare):
        told, asked = bare[: match.start()], bare[match.end() :]
        inner = _request(decapitalise(asked)) if len(told.split()) > 1 else None
        if inner and inner.kind not in ("claim", "question"):
            return replace(inner, rest=capitalise(told.strip(" ,;")) + ".")
    return None


def _request(bare: str) -> Request | None:
    bare = _EXACTLY.sub("", bare)
    if opener(bare) == "please":
        bare = re.sub(r"^please[ ,]+", "", bare, flags=re.I)
    found = _from_frames(bare) or _unwrapped(bare) or from_command(bare) or _from_question(bare)
    if found and found.kind == "clause":
        return replace(found, body=_turned_end(found.body).replace(" can not ", " cannot "))
    return found


def _turned_end(clause: str) -> str:
    """Make a direct question at the end of a clause indirect: "whether it is so and should I go"."""
    left = _LEFT.search(clause)
    turned = indirect(left["x"]) if left else None
    return clause[: left.start("x")] + turned if left and turned else clause


def _from_frames(bare: str) -> Request | None:
    """Match the frames with a fixed wording (not those of a bare verb or "what is")."""
    for kind, describes, pattern in _patterns(opener(bare)):
        match = pattern.fullmatch(bare)
        if not match:
            continue
        body = match["x"]
        if kind == "method":
            return Request("method", body)
        if kind == "action":
            return from_command(body, sure=True)
        if kind == "question":
            return _request(decapitalise(body)) or Request("question", body)
        if kind == "thing" or opener(body) in WH | {"whether"}:
            return _clause_or(body, describes=describes)
    return None


@cache
def _patterns(first: str) -> tuple[tuple[RequestKind, bool, re.Pattern[str]], ...]:
    """Return kind, whether the object is described, and pattern of the frames that open with `first`."""
    found: list[tuple[RequestKind, bool, re.Pattern[str]]] = []
    kinds: tuple[RequestKind, ...] = ("question", "action", "thing", "clause", "method")
    fixed = (*WH_WORDS, *MODALS, "please", "tell")
    for kind in kinds:
        frames = FRAMES[kind].get(first, ()) if first in fixed else ()
        if kind != "question" and first in (*MODALS, "please"):  # parsed as commands
            continue
        if kind == "method" and first in ("where", "when"):  # "where can I buy it" asks for a place
            continue
        if kind == "question" and not frames and first.isalpha():
            frames = FRAMES["question"]["verb"]
        for frame in sorted(frames, key=len, reverse=True):  # "... {x} in detail" before "... {x}"
            if "{be}" in frame or frame in _LOOSE:
                continue
            body = re.escape(frame.rstrip(".?")).replace(r"\{w\}", re.escape(first))
            describes = not re.search(r"give me|look for", frame)
            found.append((kind, describes, re.compile(body.replace(r"\{x\}", "(?P<x>.+)"), re.I)))
    return tuple(found)


# Frames that match too much.
_LOOSE = frozenset(
    ("{w} {x}.", "{w} you {x}?", "{w} is the best way to {x}?", "{w} are the steps to {x}?", *ACTION_FRAMES["who"])
)


def _unwrapped(bare: str) -> Request | None:
    if _SEEING.match(bare):
        return None
    found = _matched(bare, WRAPPED)
    if found:
        return found
    for pattern, lead in ((_WHAT_IF, "what would happen if "), (_HOW_COME, "why ")):
        match = pattern.fullmatch(bare)
        if match:
            return Request("clause", lead + match["x"])
    return None


def _matched(bare: str, patterns: tuple[tuple[re.Pattern[str], str], ...]) -> Request | None:
    """Return the request inside the first pattern that matches."""
    for pattern, inside in patterns:
        match = pattern.fullmatch(bare)
        if match:
            return _inside(inside, match["x"])
    return None


def _inside(inside: str, body: str) -> Request | None:
    if inside == "command":
        return _matched(body, HELPING) or from_command(body, sure=True)
    if inside == "method":
        return Request("method", body)
    if inside == "request":
        return _request(decapitalise(body))
    if inside == "whether":
        return Request("clause", f"whether {body}")
    if inside == "topic":
        return Request("topic", body)
    if inside == "gerund":
        return from_command(_from_gerund(body), sure=True)
    if inside == "wanted":
        return _clause_or(body, describes=False)
    if inside in ("helped", "helped base"):
        known = _TO_KNOW.fullmatch(body)
        if known:
            return _clause_or(known["x"])
        helped = from_command(_from_gerund(body) if inside == "helped" else body, sure=True)
        return replace(helped, kind="method") if helped and helped.kind == "action" else helped
    return _clause_or(body)


def _from_gerund(body: str) -> str:
    """Return the command for "opening the door"; both verbs of "opening and closing the door" are turned."""
    gerund = re.match(r"(?P<how>\w+ly )?(?P<first>\w+ing)(?:(?P<link> (?:and|or) )(?P<second>\w+ing)(?= ))?", body)
    assert gerund is not None
    second = gerund["second"] and gerund["link"] + gerund_base(gerund["second"], BASE_VERBS)
    return (gerund["how"] or "") + gerund_base(gerund["first"], BASE_VERBS) + (second or "") + body[gerund.end() :]


def _clause_or(body: str, *, describes: bool = True) -> Request:
    """Parse a clause (made indirect if it is a direct question) or a noun phrase."""
    found = bare_words(body.split()[:2])
    if found and found[0] in AUXILIARIES:
        return Request("clause", indirect(body) or body)
    if len(found) > 1 and found[0] in WH and found[1] in AUXILIARIES:
        asked = _from_question(body)
        return asked if asked and asked.kind == "clause" else Request("clause", body)
    return from_noun_phrase(body, describes=describes)


def _from_question(bare: str) -> Request | None:
    """Parse a question as a clause ("what she is holding") or, for "what is the X of Y", as the thing "the X of Y"."""
    first = opener(bare)
    if first not in WH | AUXILIARIES | PREPOSITIONS:
        return None
    several = _several(bare)
    if several:
        return Request("clause", several)
    plural = _PLURAL_COPULA.fullmatch(bare)
    if plural and _is_supply(plural["x"]):
        return Request("supply", plural["x"])
    clause = indirect(bare)
    return Request("clause", clause) if clause else _from_copula(bare)


def _is_supply(noun_phrase: str) -> bool:
    """Return whether the phrase is indefinite: "some ways to hide", "examples of this"."""
    found = bare_words(noun_phrase.split())
    if found[0] in ("some", "possible", "common", "other", "any", "good", "typical"):
        return True
    closed = DETERMINERS | PRONOUNS | PREPOSITIONS
    return (
        found[0] not in closed
        and not is_participle(found[0])
        and bool({"of", "to", "for", "in", "that"} & set(found[1:3]))
    )


def _from_copula(bare: str) -> Request | None:
    match = _COPULA.fullmatch(bare)
    if not match:
        return None
    body = match["x"]
    if opener(body) in ("a", "an") or not opener(body).isalpha():
        return Request("clause", f"what {body} is")
    named = from_noun_phrase(body)
    return named if named.kind in ("thing", "topic", "supply") else None


def _several(bare: str) -> str | None:
    """Return one clause for several questions in a sentence; None if one of them is not parsed."""
    links = list(_LINK.finditer(bare))
    for chosen in (links, [link for link in links if link["link"].strip() != ","], links[-1:], links[:1]):
        if not chosen:
            continue
        starts = [0, *(link.end() for link in chosen)]
        ends = [*(link.start() for link in chosen), len(bare)]
        parts = [_part(bare[start:end]) for start, end in zip(starts, ends, strict=True)]
        if all(parts):
            joined = "".join(f"{part}{link['link']}" for part, link in zip(parts, chosen, strict=False))
            return joined + str(parts[-1])
    return None


def _part(question: str) -> str | None:
    """Return one of several questions as a clause or noun phrase."""
    found = bare_words(question.split())
    if found in (["why"], ["how"], ["where"], ["when"], ["why", "not"]) or found[:2] in (
        ["how", "to"],
        ["where", "to"],
    ):
        return question
    wrapped = _unwrapped(question)
    if wrapped and wrapped.kind in ("thing", "topic", "supply", "clause"):
        return wrapped.body
    clause = indirect(question)
    if clause:
        return clause
    match = _COPULA.fullmatch(question)
    if match:
        verb = "are" if re.match(r"what are", question, re.I) else "is"
        return f"what {match['x']} {verb}" if len(match["x"].split()) < _SHORT else match["x"]
    return None


def _statement(bare: str, *, asked: bool) -> Request | None:
    """Parse a statement: "this must go" is a claim, "this must go?" a clause with "whether", "a boat" a topic."""
    found = bare_words(bare.partition(": ")[0].split())
    if not found or not all(word.isascii() for word in found) or found[0] in WH:
        return None
    if found[1:2] in (["to"], ["for"], ["of"], ["on"]) and is_plural_noun(found[0]):
        return Request("supply", bare)
    if any(_is_finite(found, place) for place in range(1, len(found))):
        return Request("clause", f"whether {bare}") if asked else Request("claim", bare)
    return Request("topic", bare) if len(found) > 1 and found[0] in DETERMINERS | PRONOUNS else None


def _is_finite(found: list[str], place: int) -> bool:
    """Return whether the word at `place` is probably the finite verb of a statement."""
    word = found[place]
    if word in AUXILIARIES | STRONG_VERBS | third_persons(STRONG_VERBS):
        return True
    if word.endswith("ed") and is_participle(word):
        return True
    behind = found[place + 1 : place + 2]
    acts = word in third_persons(WEAK_VERBS) and place > 1
    return acts and bool(behind) and behind[0] in DETERMINERS | PRONOUNS | PREPOSITIONS | WH
