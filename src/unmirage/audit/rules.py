"""Shallow rules that guess refusal from the surface of a query: fit on labelled queries, predict for others.

All rules see a query only as a row of features; (n, features) matrices of 0 and 1 come from `presence`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

Labels = npt.NDArray[np.bool_]


class Rule(Protocol):
    """A rule that learns from features (n, features) and labels (n,)."""

    def fit(self, features: Any, labels: Labels) -> None:
        """Learn from queries whose label (refused?) is known."""

    def predict(self, features: Any) -> Labels:
        """Return the guessed labels (n,)."""


class Majority:
    """Guess what most queries are; refusal if both are equally many."""

    def fit(self, features: Any, labels: Labels) -> None:
        """Learn the majority."""
        del features
        self.guess = bool(2 * labels.sum() >= len(labels))

    def predict(self, features: Any) -> Labels:
        """Return the majority for every query."""
        return np.full(features.shape[0], self.guess)


class ByFeature:
    """For queries of one feature each (an opener), guess the majority among those that share it.

    A feature that was not seen, or is evenly split, gets the majority of all.
    """

    def fit(self, features: Any, labels: Labels) -> None:
        """Learn the majority of each feature."""
        signs = np.where(labels, 1, -1)
        overall = 1 if 2 * labels.sum() >= len(labels) else -1
        votes = np.asarray(features.T @ signs).ravel()
        self.votes = np.where(votes == 0, overall, votes)
        self.overall = overall

    def predict(self, features: Any) -> Labels:
        """Return the majority of each query's feature."""
        votes = np.asarray(features @ self.votes).ravel()
        return np.where(votes == 0, self.overall, votes) > 0


class BagOfWords:
    """Logistic regression on the words that are present."""

    def fit(self, features: Any, labels: Labels) -> None:
        """Learn one weight a word."""
        # The library refuses labels of one kind, which a fold of a small dataset may hold.
        self.only = bool(labels[0]) if labels.all() or not labels.any() else None
        if self.only is None:
            self.model = LogisticRegression(solver="liblinear", random_state=0).fit(features, labels)

    def predict(self, features: Any) -> Labels:
        """Return the likelier label for every query."""
        if self.only is not None:
            return np.full(features.shape[0], self.only)
        return np.asarray(self.model.predict(features), dtype=np.bool_)


def presence(queries: Sequence[Iterable[str]]) -> Any:
    """Return a sparse (queries, features) matrix of 0 and 1: which query has which feature."""
    index: dict[str, int] = {}
    rows = [sorted({index.setdefault(feature, len(index)) for feature in features}) for features in queries]
    columns = np.fromiter((column for row in rows for column in row), dtype=np.int64)
    ends = np.cumsum([0, *(len(row) for row in rows)])
    shape = (len(rows), max(1, len(index)))
    return csr_matrix((np.ones(len(columns)), columns, ends), shape=shape)
