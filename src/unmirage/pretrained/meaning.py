"""Measure how much of the meaning of plain queries their rewrites keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unmirage.evaluate.relevance import TextEncoder
from unmirage.intervals import Mean, mean
from unmirage.pretrained.documents import MeaningKept
from unmirage.records import Kind, Query
from unmirage.text.english.meaning import kept

LABELS = {True: "unsafe", False: "benign"}


def label_of(query: Query) -> str:
    """Return the kind of a query and the label of its sample, such as "jailbreak (unsafe)"."""
    return f"{query.kind} ({LABELS[query.unsafe]})"


def meaning_kept(queries: Sequence[Query], encoder: TextEncoder | None) -> Mapping[str, MeaningKept]:
    """Return the meaning kept by the rewrites of each kind whose plain query is among the queries.

    Args:
        queries: plain queries and their rewrites; all rewrites of a sample are one group.
        encoder: measures cosines; None leaves them out.
    """
    plain = {one.sample_id: one.text for one in queries if one.kind is Kind.PLAIN}
    rewrites = defaultdict[str, list[Query]](list)
    for one in queries:
        if one.kind is not Kind.PLAIN and one.sample_id in plain:
            rewrites[label_of(one)].append(one)
    return {label: _kept(plain, own, encoder) for label, own in rewrites.items()}


def _kept(plain: Mapping[str, str], rewrites: Sequence[Query], encoder: TextEncoder | None) -> MeaningKept:
    groups = [one.sample_id for one in rewrites]
    words = _mean([kept(plain[one.sample_id], one.text) for one in rewrites], groups)
    if encoder is None:
        return MeaningKept(words=words)
    before = encoder.encode([plain[one] for one in groups])
    after = encoder.encode([one.text for one in rewrites])
    cosines = np.einsum("ij,ij->i", before, after)
    return MeaningKept(words=words, cosine=_mean(cosines, groups, (-1.0, 1.0)))


def _mean(
    values: Sequence[float] | NDArray[np.float64], groups: Sequence[str], bounds: tuple[float, float] = (0.0, 1.0)
) -> Mean:
    """Return the mean as a document has it, without the number of groups."""
    return replace(mean(values, groups, bounds), groups=0)
