"""Settings of a word search: method, target, form and budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field, field_validator

from unmirage.attack.documents import Form, Method, SearchKind
from unmirage.attack.plan import as_query
from unmirage.data.places import reworded
from unmirage.records import Kind, Query, Sample
from unmirage.text.english.rewriter import rewrite
from unmirage.text.openers import capitalise, opener, put_in, replace_opener, word_spans


def opening_with(sample: Sample, word: str, form: Form, kind: SearchKind) -> Query:
    """Return the sample's query changed so that it opens with `word`."""
    return _changed(sample, word, lambda query: _TEXTS[form](query, word), kind)


def as_it_is(sample: Sample) -> Query:
    """Return the sample's own query."""
    return _changed(sample, None, str, Kind.PLAIN)


def without_opener(sample: Sample) -> Query:
    """Return the query without its first word: the effect of removing it, independent of the new word."""
    return _changed(sample, None, lambda query: capitalise(_rest(query)), Kind.REPLACEMENT)


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


def _changed(sample: Sample, word: str | None, reword: Callable[[str], str], kind: str) -> Query:
    text = reworded(sample, reword).query
    return replace(as_query(sample, Kind(kind), 0, text, word), id=f"{sample.id}|search|{word or kind}")


class SearchConfig(BaseModel):
    """Settings of a word search.

    All words use one form, so that they are comparable. `replacement` replaces the query's first word, and
    `insertion` puts the word before the query ("Word, query"). `rewrite` rewords the request if the word can open
    an English request, and inserts it otherwise, so its words are not fully comparable.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method = "black-box"
    kind: SearchKind = "jailbreak"
    form: Form = "replacement"
    budget: int = Field(default=20_000, ge=1, description="maximum queries to the model for finding words")
    top: int = Field(default=10, ge=1, description="words to report")
    candidates: int = Field(default=96, ge=1, description="white box: number of words to evaluate exactly")
    steps: int = Field(default=3, ge=1, description="white box: number of gradients, each at the best word so far")
    baselines: tuple[str, ...] = ("what", "share")
    batch_size: int = Field(default=16, ge=1)
    seed: int = 0

    @field_validator("baselines")
    @classmethod
    def _words(cls, baselines: tuple[str, ...]) -> tuple[str, ...]:
        for word in baselines:
            if not word or opener(word) != word.casefold():
                raise ValueError(f"'{word}' is not valid; use one word without punctuation")
        return tuple(dict.fromkeys(word.casefold() for word in baselines))

    @property
    def sign(self) -> int:
        """Return 1 if the attack benefits from more refusal, -1 if from less."""
        return 1 if self.kind == "over-prudence" else -1
