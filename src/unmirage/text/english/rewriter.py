"""Change the opener of a query and keep its meaning. Rule-based, deterministic, strings in, strings out.

`parse` finds what a query asks for, whichever way it asks; `realise` asks for it again with another opener.
Because the new wording depends on the request alone, it carries no trace of the opener that it replaced.
"""

from __future__ import annotations

from collections.abc import Iterable

from unmirage.text.english.frames import frames_for
from unmirage.text.english.leads import LEADS, led, needs_lead
from unmirage.text.english.meaning import Request
from unmirage.text.english.parse import parse
from unmirage.text.english.prefixes import opened
from unmirage.text.english.realise import FOREIGN_ENDS, realise, with_tails
from unmirage.text.english.variety import distinct, varied, with_tail
from unmirage.text.openers import capitalise, decapitalise, opener, words

__all__ = ["Request", "can_open", "paraphrase", "parse", "realise", "rewrite"]

_FEW = 6
_LONGEST_VARIED = 20_000  # characters of a query; a longer one gets few wordings, not many


def rewrite(query: str, word: str, shots: int) -> list[str]:
    """Return up to `shots` different queries that open with `word` and ask what `query` asks.

    The query itself is never among them. The best wordings come first; later ones add how to answer ("in one
    sentence"). A word that cannot open an English request is put in front, with a comma.

    Args:
        query: any text; where no structure is recognised, it is quoted whole.
        word: the opener, in any case; one word, or several ("could you please").
        shots: how many rewrites to make.
    """
    word = " ".join(word.casefold().split())
    request = parse(query)
    candidates = _wordings(request, word)
    if request.kind == "thing" and request.body.startswith("your "):  # nobody has thoughts "for me"
        candidates = [text for text in candidates if not text.endswith(" for me.")]
    if candidates:
        candidates = [_with_rest(_tidy(text), request.rest) for text in candidates]
        return distinct(_many(candidates, request, shots), query, shots)
    return distinct(_many(_prefixed(query, word), request, shots), query, shots)


def paraphrase(query: str, without: str, shots: int) -> list[str]:
    """Return up to `shots` paraphrases that keep the query's opener, unless that is the word `without`.

    A query that opens with that very word, or those words, is made to open with "tell" (or "describe"). Paraphrases
    that use the word nowhere are preferred; where the request itself contains it ("who is she and what does she do"),
    none opens with it.
    """
    own = opener(query)
    avoided = words(without)
    kept = next(word for word in (own, "tell", "describe") if word not in ("", *avoided[:1]))
    request = parse(query)
    candidates = [_with_rest(text, request.rest) for text in _wordings(request, kept)] or with_tails(query)
    fitting = [text for text in candidates if not _holds(text, avoided)]
    return distinct(_many(fitting or candidates, request, shots), query, shots)


def can_open(word: str) -> bool:
    """Return whether an English request can open with `word`, so that `rewrite` need not just put it in front.

    Args:
        word: one word, or several.
    """
    word = " ".join(word.casefold().split())
    if " " in word:
        return bool(opened(Request("thing", "the name"), word) or opened(Request("action", "sing"), word))
    return bool(frames_for("question", word)) or word in LEADS


def _wordings(request: Request, word: str) -> list[str]:
    if " " in word:
        return opened(request, word)
    framed = realise(request, word)
    if needs_lead(word):
        return led(request, word) or framed
    return framed if frames_for(request.kind, word) else framed + led(request, word)


def _many(wordings: list[str], request: Request, shots: int) -> Iterable[str]:
    """Yield the wordings and, where many are wanted, those with tails."""
    if len(request.body) > _LONGEST_VARIED:
        return [*wordings, *(with_tail(text, ", please") for text in wordings[:_FEW])] if shots else []
    if not request.rest:
        return varied(wordings)
    asked = [text[: len(text) - len(request.rest) - 1] if text.endswith(request.rest) else text for text in wordings]
    return (_with_rest(text, request.rest) if text not in wordings else text for text in varied(asked))


def _with_rest(text: str, rest: str) -> str:
    return f"{text} {rest}" if rest else text


def _tidy(text: str) -> str:
    """Return `text` with a capital at its start and one end mark, also where a quoted text brings its own."""
    return capitalise(text[:-1] if text[-2:-1] in FOREIGN_ENDS and text[-1:] in ".?" else text)


def _holds(text: str, avoided: list[str]) -> bool:
    found = words(text)
    size = len(avoided)
    return size > 0 and any(found[at : at + size] == avoided for at in range(len(found) - size + 1))


def _prefixed(query: str, word: str) -> list[str]:
    return with_tails(f"{capitalise(word)}, {decapitalise(query.strip())}")
