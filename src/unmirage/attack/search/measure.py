"""Queries in, how probably a model refuses each of them out, with a count of what that took."""

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
    """Measures queries in pieces, counts them, and says how far it is.

    Args:
        measure: queries in, (queries,) out.
        total: how many will be asked in all.
        stage: what to call this in the progress.
        progress: told after every piece.
        piece: queries in one call of `measure`.
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
        """Add queries that the model was asked, here or elsewhere."""
        self.used += asked
        if self._progress is not None:
            self._progress(self._stage, self.used, max(self._total, self.used))

    def finish(self) -> None:
        """Say that nothing more will be asked, though less was than there might have been."""
        if self._progress is not None:
            self._progress(self._stage, self.used, self.used)

    def words(
        self, words: Sequence[str], samples: Sequence[Sample], form: Form, kind: SearchKind
    ) -> NDArray[np.float64]:
        """Return (words, samples): the probability of refusal with each word in each sample."""
        # Sample by sample, so that the queries about one picture come together.
        queries = [opening_with(sample, word, form, kind) for sample in samples for word in words]
        return self(queries).reshape(len(samples), len(words)).T
