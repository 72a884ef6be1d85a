"""Build the query of a sample that opens with a given word, in the same form for all words."""

from __future__ import annotations

from collections.abc import Callable

from unmirage.attack.search.config import Form, SearchKind
from unmirage.records import Kind, Query, Sample
from unmirage.text.openers import capitalise
from unmirage.text.placement import put_in, replace_opener
from unmirage.text.rewriter import rewrite
from unmirage.text.vocabulary import word_spans


def opening_with(sample: Sample, word: str, form: Form, kind: SearchKind) -> Query:
    """Return the sample's query changed so that it opens with `word`."""
    return _query(sample, word, _TEXTS[form](sample.query, word), kind)


def as_it_is(sample: Sample) -> Query:
    """Return the sample's own query."""
    return _query(sample, None, sample.query, Kind.PLAIN)


def without_opener(sample: Sample) -> Query:
    """Return the query without its first word: the effect of removing it, independent of the new word."""
    return _query(sample, None, capitalise(_rest(sample.query)), Kind.REPLACEMENT)


def _rewritten(query: str, word: str) -> str:
    made = rewrite(query, word, 1)
    return made[0] if made else query


def _rest(query: str) -> str:
    spans = word_spans(query)
    return query[spans[0][1] :].lstrip(" ,:;-") if spans else query


_TEXTS: dict[Form, Callable[[str, str], str]] = {
    "insertion": lambda query, word: put_in(query, word, "first"),
    "replacement": replace_opener,
    "rewrite": _rewritten,
}


def _query(sample: Sample, word: str | None, text: str, kind: str) -> Query:
    return Query(
        id=f"{sample.id}|search|{word or kind}",
        sample_id=sample.id,
        kind=Kind(kind),
        shot=0,
        text=text,
        image=sample.image,
        unsafe=sample.refused,
        word=word,
    )
