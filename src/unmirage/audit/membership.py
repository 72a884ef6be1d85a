"""Sparse table of features and the queries that have them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unmirage.audit.corpus import Bools, Ints, Ints32


@dataclass(frozen=True, slots=True, eq=False)
class Membership:
    """Features and the queries that have them, each query once.

    Attributes:
        features: (f,) number of each feature, in the caller's numbering.
        starts: (f + 1,) start of each feature's queries in `members`.
        members: (pairs,) the queries, ascending within a feature.
    """

    features: Ints
    starts: Ints
    members: Ints32

    def __len__(self) -> int:
        return len(self.features)

    @property
    def totals(self) -> Ints:
        """Return the number of queries of each feature."""
        return np.diff(self.starts)

    def of(self, feature: int) -> Ints32:
        """Return the queries of one feature, by its place in `features`."""
        return self.members[self.starts[feature] : self.starts[feature + 1]]

    def sums(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Return the sum of a value (n,) over each feature's queries."""
        if not len(self):
            return np.zeros(0, dtype=values.dtype)
        return np.asarray(np.add.reduceat(values[self.members], self.starts[:-1]))

    def refused(self, labels: Bools) -> Ints:
        """Return the number of refused queries of each feature."""
        return np.asarray(self.sums(labels.astype(np.int64)), dtype=np.int64)

    def among(self, queries: npt.NDArray[np.bool_]) -> Membership:
        """Return the same features with only the queries that are True in `queries` (n,); some may have none."""
        kept = queries[self.members]
        before = np.concatenate([[0], np.cumsum(kept)])
        return Membership(self.features, before[self.starts], self.members[kept])

    def pick(self, places: Ints) -> Membership:
        """Return only the features at these places, in this order."""
        totals = self.totals[places]
        starts = np.concatenate([[0], np.cumsum(totals)])
        within = np.arange(starts[-1]) - np.repeat(starts[:-1], totals)
        members = self.members[np.repeat(self.starts[:-1][places], totals) + within]
        return Membership(self.features[places], starts, members)


def membership(features: npt.NDArray[np.integer], queries: Ints32, count: int, at_least: int = 1) -> Membership:
    """Return the features that occur in `at_least` queries.

    Args:
        features: (pairs,) non-negative feature numbers; a query may have one several times.
        queries: (pairs,) the query of each.
        count: total number of queries.
        at_least: minimum number of queries of a feature.
    """
    pairs = features.astype(np.int64) * count + queries
    pairs.sort()
    if len(pairs):
        pairs = pairs[np.concatenate([[True], pairs[1:] != pairs[:-1]])]
    owner = pairs // count if count else pairs
    first = np.flatnonzero(np.concatenate([[True], owner[1:] != owner[:-1]])) if len(owner) else np.zeros(0, np.int64)
    starts = np.append(first, len(pairs)).astype(np.int64)
    everything = Membership(owner[first], starts, (pairs - owner * count).astype(np.int32))
    return everything if at_least <= 1 else everything.pick(np.flatnonzero(everything.totals >= at_least))


def from_groups(groups: Ints, at_least: int = 1) -> Membership:
    """Return one feature per group: (n,) the group of each query, negative for none."""
    members = np.flatnonzero(groups >= 0).astype(np.int32)
    return membership(groups[members], members, len(groups), at_least)


def from_masks(masks: Iterable[Bools], count: int, at_least: int = 1) -> Membership:
    """Return one feature per mask, numbered by position; each mask (count,) marks the queries with it."""
    members = [np.flatnonzero(mask).astype(np.int32) for mask in masks]
    features = np.repeat(np.arange(len(members)), [len(found) for found in members])
    return membership(features, np.concatenate([np.zeros(0, np.int32), *members]), count, at_least)
