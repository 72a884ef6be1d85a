"""Measure the probability of refusal of queries, with counts and progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from unmirage.attack.search.config import Form, SearchKind
from unmirage.attack.search.forms import opening_with
from unmirage.records import Query, Sample

Measure = Callable[[Sequence[Query]], NDArray[np.float64]]
Progress = Callable[[str, int, int], None]


class Meter:
    """Measures queries in batches, counts them and reports progress.

    Args:
        measure: maps queries to (queries,) probabilities of refusal.
        total: expected number of queries.
        stage: name of the stage in the progress display.
        progress: called with (stage, done, total) after every batch.
        piece: queries per call of `measure`.
    """

    def __init__(
        self, measure: Measure, total: int, stage: str, progress: Progress | None = None, piece: int = 256
    ) -> None:
        self._measure = measure
        self._total = total
        self._stage = stage
        self._progress = progress
        self._piece = piece
        self.used = 0

    def __call__(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Return (queries,): the probability of refusal."""
        found = [np.empty(0)]
        for start in range(0, len(queries), self._piece):
            part = queries[start : start + self._piece]
            found.append(self._measure(part))
            self.count(len(part))
        return np.concatenate(found)

    def count(self, asked: int) -> None:
        """Add to the number of queries sent to the model."""
        self.used += asked
        if self._progress is not None:
            self._progress(self._stage, self.used, max(self._total, self.used))

    def finish(self) -> None:
        """Report the stage as complete, even if fewer queries were needed than expected."""
        if self._progress is not None:
            self._progress(self._stage, self.used, self.used)

    def words(
        self, words: Sequence[str], samples: Sequence[Sample], form: Form, kind: SearchKind
    ) -> NDArray[np.float64]:
        """Return (words, samples): the probability of refusal with each word in each sample."""
        # Ordered by sample, so that queries about one image are together.
        queries = [opening_with(sample, word, form, kind) for sample in samples for word in words]
        return self(queries).reshape(len(samples), len(words)).T
