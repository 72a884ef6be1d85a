"""Shallow rules that guess refusal from the surface of a query: fit on labelled queries, score others.

All rules see a query only as a row of features. A score above one half is a guess of "refused".
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from sklearn.linear_model import LogisticRegression

from unmirage.audit.corpus import Bools, Floats


class Rule(Protocol):
    """A rule that learns from features (n, features) and labels (n,)."""

    def fit(self, features: Any, labels: Bools) -> None:
        """Learn from queries whose label (refused?) is known."""

    def score(self, features: Any) -> Floats:
        """Return how much speaks for refusal (n,), from 0 to 1; never exactly one half."""


class Majority:
    """Guess what most queries are; refusal if both are equally many."""

    def fit(self, features: Any, labels: Bools) -> None:
        """Learn the majority."""
        del features
        self.guess = float(2 * labels.sum() >= len(labels))

    def score(self, features: Any) -> Floats:
        """Return the majority for every query."""
        return np.full(features.shape[0], self.guess)


class ByFeature:
    """For queries of one feature each (an opener), guess the majority among those that share it.

    A feature that was not seen, or whose majority is smaller than a coin's would usually be (one standard
    deviation), gets the majority of all. Else, in balanced data, where what a fold has too much of the others
    have too little of, the rule would be right less often than a guess.
    """

    def fit(self, features: Any, labels: Bools) -> None:
        """Learn the majority of each feature."""
        votes = np.asarray(features.T @ np.where(labels, 1, -1)).ravel()
        seen = np.asarray(features.sum(axis=0)).ravel()
        self.overall = 1 if 2 * labels.sum() >= len(labels) else -1
        self.votes = np.where(votes**2 < np.maximum(seen, 1), self.overall, votes)

    def score(self, features: Any) -> Floats:
        """Return the majority of each query's feature."""
        votes = np.asarray(features @ self.votes).ravel()
        return (np.where(votes == 0, self.overall, votes) > 0).astype(np.float64)


class Linear:
    """Logistic regression on the features that are present.

    Attributes:
        weights: (features,) what each adds to the log odds of refusal; known after `fit`.
        intercept: their log odds without any.
    """

    def fit(self, features: Any, labels: Bools) -> None:
        """Learn one weight a feature."""
        self.weights = np.zeros(features.shape[1])
        # The library refuses labels of one kind, which a fold of a small dataset may hold.
        if labels.all() or not labels.any():
            self.intercept = np.inf if labels.all() else -np.inf
            return
        model = LogisticRegression(solver="liblinear", random_state=0).fit(features, labels)
        self.weights = model.coef_[0]
        self.intercept = float(model.intercept_[0])

    def logit(self, features: Any) -> Floats:
        """Return the log odds of refusal (n,)."""
        return np.asarray(features @ self.weights).ravel() + self.intercept

    def score(self, features: Any) -> Floats:
        """Return the probability of refusal (n,)."""
        return np.asarray(0.5 * (1 + np.tanh(self.logit(features) / 2)))
