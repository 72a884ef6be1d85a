"""Find the words of each query that refusal depends on, by leaving out or masking one word at a time.

Leave-one-out is the simplest occlusion explanation (Zeiler and Fergus, ECCV 2014; Li et al., arXiv 1612.08220). It
measures what the model does without a word, not what the meaning of the word contributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unmirage.data.images import Pictures
from unmirage.errors import unknown
from unmirage.intervals import Mean, mean, rate
from unmirage.models.huggingface import HuggingFaceVLM
from unmirage.models.scoring import refusal_probability
from unmirage.records import Query, Rate
from unmirage.run.progress import Progress
from unmirage.run.result import Result
from unmirage.text.openers import capitalise
from unmirage.text.vocabulary import word_spans

SCHEMA = "unmirage.explain/1"
Mode = Literal["leave-out", "mask"]
MODES: dict[str, Mode] = {"leave-out": "leave-out", "mask": "mask"}
MASK = "..."
_PIECE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class WordChange:
    """One word of a query: its position, and the probability of refusal without it.

    `change` is the refusal that the word adds: positive if the model refuses less without it.
    """

    word: str
    start: int
    end: int
    p_without: float
    change: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedQuery:
    """A query, its probability of refusal, and the change by each of its words, in order."""

    query_id: str
    text: str
    p_refusal: float
    words: tuple[WordChange, ...]

    @property
    def opener_is_cause(self) -> bool:
        """Return whether leaving out the first word changes refusal more than leaving out any other word."""
        first, *others = (abs(word.change) for word in self.words)
        return first > max(others, default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Explanation(Result):
    """Which words refusals depend on, over all queries.

    Attributes:
        mode: whether words were left out or masked.
        opener_is_cause: share of queries in which the first word changes refusal the most.
        opener_change: mean change by the first word.
        others_change: mean change by any other word; queries of one word have none.
        queries: results per query; queries without words are left out.
    """

    model: str
    mode: Mode
    opener_is_cause: Rate
    opener_change: Mean
    others_change: Mean
    queries: tuple[ExplainedQuery, ...]

    def heading(self) -> str:
        """Return how often the opener has the largest effect."""
        share = self.opener_is_cause.value
        told = "not estimable" if share is None else f"{100 * share:.0f} %"
        return f"Refusals of {self.model}: the opener has the largest effect in {told} of {len(self.queries)} queries"

    def summary(self) -> list[dict[str, Any]]:
        """Return the word of each query that changes the probability of refusal the most."""
        found = [(query, max(query.words, key=lambda word: abs(word.change))) for query in self.queries]
        return [
            {"query": query.text, "p_refusal": query.p_refusal, "word": word.word, "change": word.change}
            for query, word in found
        ]

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each word of each query."""
        return [
            {"query_id": query.query_id, "query": query.text, "p_refusal": query.p_refusal, **asdict(word)}
            for query in self.queries
            for word in query.words
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON document; probabilities are between 0 and 1, changes between -1 and 1."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "mode": self.mode,
            "n": len(self.queries),
            "opener_is_cause": asdict(self.opener_is_cause),
            "opener_change": self.opener_change.value,
            "opener_change_low": self.opener_change.low,
            "opener_change_high": self.opener_change.high,
            "others_change": self.others_change.value,
            "others_change_low": self.others_change.low,
            "others_change_high": self.others_change.high,
            "queries": [{**asdict(query), "words": [asdict(word) for word in query.words]} for query in self.queries],
        }


def explain(
    vlm: HuggingFaceVLM,
    queries: Sequence[Query],
    images: Pictures,
    starts: Sequence[str],
    mode: Mode = "leave-out",
    progress: Progress | None = None,
    batch_size: int = 16,
) -> Explanation:
    """Return the change in the probability of refusal when each word of each query is left out or masked."""
    if mode not in ("leave-out", "mask"):
        raise unknown("mode", mode, ("leave-out", "mask"))
    worded = [query for query in queries if word_spans(query.text)]
    asked = [variant for query in worded for variant in variants(query, mode)]
    values = np.empty(len(asked))
    for start in range(0, len(asked), _PIECE):
        part = asked[start : start + _PIECE]
        values[start : start + len(part)] = refusal_probability(vlm, part, images, starts, batch_size)
        if progress is not None:
            progress("explaining", start + len(part), len(asked))
    found = []
    for query in worded:
        count = 1 + len(word_spans(query.text))
        found.append(_explained(query, values[:count]))
        values = values[count:]
    return _summed(vlm.name, mode, worded, found)


def variants(query: Query, mode: Mode) -> list[Query]:
    """Return the query itself, and then a copy without each of its words."""
    return [query, *(replace(query, text=without(query.text, span, mode)) for span in word_spans(query.text))]


def without(text: str, span: tuple[int, int], mode: Mode) -> str:
    """Return the text with the word at `span` left out, or replaced by a neutral mark.

    Spacing and capitalization are adjusted to the new text.
    """
    before, after = text[: span[0]], text[span[1] :]
    if mode == "mask":
        return before + MASK + after
    if not before.strip():
        return capitalise(after.lstrip(" ,:;-"))
    if before[-1:].isspace() and (not after or not after[0].isalnum()):
        return before.rstrip() + after if not after[:1].isspace() else before.rstrip() + " " + after.lstrip()
    return before + after


def _explained(query: Query, values: NDArray[np.float64]) -> ExplainedQuery:
    whole, *rest = values.tolist()
    words = tuple(
        WordChange(word=query.text[start:end], start=start, end=end, p_without=p, change=whole - p)
        for (start, end), p in zip(word_spans(query.text), rest, strict=True)
    )
    return ExplainedQuery(query_id=query.id, text=query.text, p_refusal=whole, words=words)


def _summed(model: str, mode: Mode, queries: Sequence[Query], found: Sequence[ExplainedQuery]) -> Explanation:
    # The shots of one sample, and the queries about one image, are dependent.
    keys = [query.image or query.sample_id for query in queries]
    others = [(word.change, key) for one, key in zip(found, keys, strict=True) for word in one.words[1:]]
    bounds = (-1.0, 1.0)
    return Explanation(
        model=model,
        mode=mode,
        opener_is_cause=rate(sum(one.opener_is_cause for one in found), len(found)),
        opener_change=mean([one.words[0].change for one in found], keys, bounds),
        others_change=mean([change for change, _ in others], [key for _, key in others], bounds),
        queries=tuple(found),
    )
