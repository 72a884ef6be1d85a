"""Samples in, how many refused and how many answered queries have each surface feature out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unmirage.records import Sample
from unmirage.text.openers import opener, words


@dataclass(frozen=True, slots=True)
class Counts:
    """Features with the number of queries that have them; the most frequent first, ties by name.

    Attributes:
        names: the features.
        refused: (features,) refused queries that have each.
        answered: (features,) answered queries that have each.
    """

    names: tuple[str, ...]
    refused: npt.NDArray[np.int64]
    answered: npt.NDArray[np.int64]

    def at_least(self, queries: int) -> Counts:
        """Return the features that this many queries have, or more."""
        kept = np.flatnonzero(self.refused + self.answered >= queries)
        names = tuple(self.names[index] for index in kept)
        return Counts(names, self.refused[kept], self.answered[kept])


def count_openers(samples: Iterable[Sample]) -> Counts:
    """Count the first words; a query without words has none."""
    return _count(samples, lambda query: filter(None, [opener(query)]))


def count_words(samples: Iterable[Sample]) -> Counts:
    """Count the queries that have a word anywhere, however often."""
    return _count(samples, lambda query: set(words(query)))


def _count(samples: Iterable[Sample], features: Callable[[str], Iterable[str]]) -> Counts:
    total: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for sample in samples:
        present = list(features(sample.query))
        total.update(present)
        if sample.refused:
            refused.update(present)
    names = tuple(sorted(total, key=lambda name: (-total[name], name)))
    in_refused = np.array([refused[name] for name in names], dtype=np.int64)
    in_all = np.array([total[name] for name in names], dtype=np.int64)
    return Counts(names, in_refused, in_all - in_refused)
