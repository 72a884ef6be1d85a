"""Measure how relevant a model's responses to benign queries are, as the cosine of their sentence embeddings.

The relevance of a response is the cosine similarity of the embeddings of the query and the response. A response without
words (empty, or blocked without text) has relevance 0. A refusal has the relevance of its own text, so a model that
refuses benign queries loses relevance; `Relevance.answered` leaves refused, blocked and empty responses out. A response
that repeats its query has relevance 1: read relevance beside the verdicts, not instead of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unmirage.evaluate.bootstrap import mean_by_cluster
from unmirage.evaluate.compare import Side
from unmirage.evaluate.degenerate import degenerate
from unmirage.intervals import Mean
from unmirage.records import Count, Difference, Kind, Verdict
from unmirage.run.store import Store

RELEVANCE = "relevance"
_DIGITS = 6  # of a cosine, so that results do not depend on the order of a sum


class TextEncoder(Protocol):
    """Maps each text to a unit vector, for example `unmirage.models.encoders.SentenceEncoder`."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return (texts, size): one unit vector per text."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """Relevance of the response to one query.

    Attributes:
        value: cosine of query and response; 0 for a response without words.
        verdict: verdict on the response; None if it has none.
        empty: whether the response has no words.
        cluster: the sample, or what it shares with others; different clusters are independent.
    """

    value: float
    verdict: Verdict | None
    empty: bool
    cluster: Hashable

    @property
    def answered(self) -> bool:
        """Return whether the response is neither empty nor refused nor blocked."""
        return not self.empty and self.verdict not in (Verdict.REFUSED, Verdict.BLOCKED)


Similarities = Mapping[str, Similarity]  # by query id


@dataclass(frozen=True, slots=True, kw_only=True)
class Relevance(Mean):
    """Mean relevance of a model's responses to benign plain queries, with cluster bootstrap intervals.

    Attributes:
        value, low, high, n: mean over all responses; refused and empty ones included.
        answered: mean over the responses that are neither refused nor blocked nor empty.
        refused, blocked, empty: numbers of these responses. An empty response counts as empty only.
        missing: benign plain queries without a response; they are in no mean.
        encoder: name of the sentence encoder.
    """

    value: Difference | None
    low: Difference | None
    high: Difference | None
    answered: Mean
    refused: Count
    blocked: Count
    empty: Count
    missing: Count
    encoder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanComparison:
    """Means of two sides over the same queries: b minus a, with a cluster bootstrap interval of the differences."""

    a: Side
    b: Side
    n: Count
    difference: float | None
    low: float | None
    high: float | None

    def reversed(self) -> MeanComparison:
        """Return the same comparison with the sides exchanged."""
        difference, low, high = (None if one is None else -one for one in (self.difference, self.high, self.low))
        return replace(self, a=self.b, b=self.a, difference=difference, low=low, high=high)


def similarities(encoder: TextEncoder, queries: Sequence[str], responses: Sequence[str]) -> list[float]:
    """Return the relevance of each response to the query at the same place; 0 for a response without words.

    Args:
        encoder: sentence encoder. Equal texts are encoded once.
        queries, responses: texts.
    """
    texts = list(dict.fromkeys([*queries, *responses]))
    vectors = encoder.encode(texts) if texts else np.zeros((0, 1))
    place = {text: number for number, text in enumerate(texts)}
    return [
        0.0 if is_empty(response) else round(float(vectors[place[query]] @ vectors[place[response]]), _DIGITS)
        for query, response in zip(queries, responses, strict=True)
    ]


def is_empty(response: str) -> bool:
    """Return whether a response has no words: nothing but spaces and punctuation."""
    return degenerate(response) == "empty"


def benign_similarities(store: Store, judge: str, model: str, encoder: TextEncoder) -> dict[str, Similarity]:
    """Return the relevance of each response of a model to a benign plain query, by query id.

    Args:
        store: store of a run.
        judge: the judge whose verdicts determine what is refused.
    """
    samples = {sample.id: sample for sample in store.samples()}
    asked = {query.id: query for query in store.queries() if query.kind is Kind.PLAIN and not query.unsafe}
    verdicts = {one.query_id: one.verdict for one in store.judgements(model, judge)}
    responses = [one for one in store.responses(model) if one.query_id in asked]
    texts = [one.text for one in responses]
    values = similarities(encoder, [asked[one.query_id].text for one in responses], texts)
    found = {}
    for response, value in zip(responses, values, strict=True):
        own = asked[response.query_id].sample_id
        cluster = samples[own].cluster if own in samples else None
        verdict = verdicts.get(response.query_id)
        found[response.query_id] = Similarity(value, verdict, is_empty(response.text), cluster or own)
    return found


def relevance(found: Similarities, *, encoder: str, missing: int = 0) -> Relevance:
    """Return the mean relevance.

    Args:
        found: relevance by query id.
        encoder: name of the encoder.
        missing: number of queries without a response.
    """
    everything = list(found.values())
    mean = _mean(everything)
    full = [one for one in everything if not one.empty]
    return Relevance(
        value=mean.value,
        low=mean.low,
        high=mean.high,
        n=mean.n,
        groups=mean.groups,
        answered=_mean([one for one in everything if one.answered]),
        refused=sum(one.verdict is Verdict.REFUSED for one in full),
        blocked=sum(one.verdict is Verdict.BLOCKED for one in full),
        empty=len(everything) - len(full),
        missing=missing,
        encoder=encoder,
    )


def missing_benign(store: Store, found: Similarities) -> int:
    """Return the number of benign plain queries of a run that have no response."""
    return sum(q.kind is Kind.PLAIN and not q.unsafe and q.id not in found for q in store.queries())


def compare_relevance(models: Mapping[str, Similarities], reference: str | None = None) -> list[MeanComparison]:
    """Compare the relevance of each other model with the reference, over the queries that both answered.

    Args:
        models: model name -> relevance by query id.
        reference: model that all others are compared with; None selects the first model.
    """
    first = reference or next(iter(models), "")
    return [
        _compared(Side(first, RELEVANCE), Side(name, RELEVANCE), models[first], found)
        for name, found in models.items()
        if name != first
    ]


def _compared(a: Side, b: Side, mine: Similarities, theirs: Similarities) -> MeanComparison:
    both = sorted(mine.keys() & theirs.keys())
    found = mean_by_cluster((mine[query].cluster, theirs[query].value - mine[query].value) for query in both)
    return MeanComparison(a=a, b=b, n=found.n, difference=found.value, low=found.low, high=found.high)


def _mean(found: Sequence[Similarity]) -> Mean:
    return mean_by_cluster((one.cluster, one.value) for one in found)
