"""Rewrite a query with another opener and the same meaning, by deterministic rules.

`parse` finds the request in a query, and `realise` words it with another opener. The new wording depends on the request
alone, so it does not reveal the original opener. The rules support English only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from unmirage.text.english.frames import frames_for
from unmirage.text.english.inflection import MODALS, TELLING_VERBS, WH_WORDS
from unmirage.text.english.leads import LEADS, led, needs_lead
from unmirage.text.english.meaning import Request
from unmirage.text.english.parse import parse
from unmirage.text.english.prefixes import opened
from unmirage.text.english.realise import FOREIGN_ENDS, realise, with_fitting_tails, with_tails
from unmirage.text.english.variety import distinct, varied, with_tail
from unmirage.text.language import is_foreign
from unmirage.text.leads import content_start
from unmirage.text.openers import capitalise, decapitalise, opener, words

__all__ = ["Request", "can_open", "paraphrase", "parse", "plain_wordings", "realise", "rewrite"]

_FEW = 6
_TWICE = re.compile(r"\bdetail(?:s|ed)?\b.* in detail\b|\bfor me\b.* for me\b", re.I)
_REWORDING = frozenset((*WH_WORDS, *MODALS, "please", "tell", "i", "we", "do", "does", "did"))
_LONGEST_VARIED = 20_000  # characters; longer queries get fewer wordings


def rewrite(query: str, word: str, shots: int) -> list[str]:
    """Return up to `shots` distinct rewrites of `query` that open with `word`, best first.

    The query itself is never among them. Later rewrites add how to answer ("in one sentence"). A word that cannot open
    an English request is put before the query with a comma. Role markers and numbering stay in front. A query in
    another language than English has no rewrites.

    Args:
        query: any text; quoted verbatim if its structure is not recognized.
        word: the opener, in any case: one word, or several ("could you please").
        shots: maximum number of rewrites.
    """
    return _behind_lead(query, lambda content: _rewritten(content, word, shots))


def _rewritten(query: str, word: str, shots: int) -> list[str]:
    word = " ".join(word.casefold().split())
    request = parse(query)
    candidates = plain_wordings(request, word)
    if candidates:
        return distinct(_many(candidates, request, shots), query, shots)
    prefixed = with_tails(f"{capitalise(word)}, {decapitalise(query.strip())}")
    return distinct(_many(prefixed, request, shots), query, shots)


def plain_wordings(request: Request, word: str) -> list[str]:
    """Return the wordings of `request` that open with `word`, without instructions on how to answer; [] for none."""
    candidates = _wordings(request, word)
    if request.kind == "thing" and request.body.startswith("your "):  # "your thoughts for me" is wrong
        candidates = [text for text in candidates if not text.endswith(" for me.")]
    return [_with_rest(_tidy(text), request.rest) for text in _without_doubles(candidates)]


def paraphrase(query: str, without: str, shots: int) -> list[str]:
    """Return up to `shots` paraphrases that keep the query's opener, unless that is the word `without`.

    A query that opens with that word gets the opener "tell" (or "describe"). Paraphrases without the word are
    preferred. If the request itself contains it ("who is she and what does she do"), it is at least not the opener.
    Role markers and numbering stay in front. A query in another language than English has no paraphrases.
    """
    return _behind_lead(query, lambda content: _paraphrased(content, without, shots))


def _paraphrased(query: str, without: str, shots: int) -> list[str]:
    own = opener(query)
    avoided = words(without)
    kept = next(word for word in (own, "tell", "describe") if word not in ("", *avoided[:1]))
    request = parse(query)
    candidates = []
    if kept != own or _rewords(own, query, request):
        candidates = [_with_rest(capitalise(text), request.rest) for text in _wordings(request, kept)]
    candidates = _without_doubles(candidates) or with_fitting_tails(query, request)
    fitting = [text for text in candidates if not _holds(text, avoided)]
    return distinct(_many(fitting or candidates, request, shots), query, shots)


def _without_doubles(wordings: list[str]) -> list[str]:
    """Return the wordings without those that say a thing twice ("personal details in detail"), if others are left."""
    return [text for text in wordings if not _TWICE.search(text)] or wordings


def _rewords(own: str, query: str, request: Request) -> bool:
    """Return whether other wordings with the query's own opener are better than the query with a tail.

    A command whose object was reworded ("analyze the plan": "your analysis of the plan") does not take that object, and
    few openers besides question words have wordings of their own.
    """
    if own in _REWORDING:
        return True
    return own in TELLING_VERBS and request.body in query


def can_open(word: str) -> bool:
    """Return whether an English request can open with `word`; otherwise `rewrite` puts it before the query.

    Args:
        word: one word, or several.
    """
    word = " ".join(word.casefold().split())
    if " " in word:
        return bool(opened(Request("thing", "the name"), word) or opened(Request("action", "sing"), word))
    return bool(frames_for("question", word)) or word in LEADS


def _behind_lead(query: str, reword: Callable[[str], list[str]]) -> list[str]:
    """Return the wordings of the content of an English query, each behind the query's own role markers."""
    if is_foreign(query):
        return []
    start = content_start(query)
    return [query[:start] + text for text in reword(query[start:])]


def _wordings(request: Request, word: str) -> list[str]:
    if " " in word:
        return opened(request, word)
    framed = realise(request, word)
    if needs_lead(word):
        return led(request, word) or framed
    return framed if frames_for(request.kind, word) else framed + led(request, word)


def _many(wordings: list[str], request: Request, shots: int) -> Iterable[str]:
    """Yield the wordings, then the same with tails."""
    if len(request.body) > _LONGEST_VARIED:
        return [*wordings, *(with_tail(text, ", please") for text in wordings[:_FEW])] if shots else []
    if not request.rest:
        return varied(wordings)
    asked = [text[: len(text) - len(request.rest) - 1] if text.endswith(request.rest) else text for text in wordings]
    return (_with_rest(text, request.rest) if text not in wordings else text for text in varied(asked))


def _with_rest(text: str, rest: str) -> str:
    return f"{text} {rest}" if rest else text


def _tidy(text: str) -> str:
    """Return `text` with an initial capital and a single end mark, even if a quoted text has its own."""
    return capitalise(text[:-1] if text[-2:-1] in FOREIGN_ENDS and text[-1:] in ".?" else text)


def _holds(text: str, avoided: list[str]) -> bool:
    found = words(text)
    size = len(avoided)
    return size > 0 and any(found[at : at + size] == avoided for at in range(len(found) - size + 1))
