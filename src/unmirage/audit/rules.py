"""Shallow classifiers that predict refusal from surface features of a query.

All rules see a query only as a row of features. A score above 0.5 predicts "refused".
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from sklearn.linear_model import LogisticRegression

from unmirage.audit.corpus import Bools, Floats


class Rule(Protocol):
    """A rule that is trained on features (n, features) and labels (n,)."""

    def fit(self, features: Any, labels: Bools) -> None:
        """Train on queries with known labels (True: refused)."""

    def score(self, features: Any) -> Floats:
        """Return the score of refusal (n,), from 0 to 1; never exactly 0.5."""


class Majority:
    """Predict the majority label; refusal if both labels are equally frequent."""

    def fit(self, features: Any, labels: Bools) -> None:
        """Determine the majority label."""
        del features
        self.guess = float(2 * labels.sum() >= len(labels))

    def score(self, features: Any) -> Floats:
        """Return the majority label for every query."""
        return np.full(features.shape[0], self.guess)


class ByFeature:
    """For queries of one feature each (an opener), predict the majority label of the feature.

    Unseen features get the overall majority. So do features whose majority is within one standard deviation of chance.
    Otherwise, the rule would be worse than chance in balanced data: a label that is overrepresented in the training
    folds is underrepresented in the test fold.
    """

    def fit(self, features: Any, labels: Bools) -> None:
        """Determine the majority label of each feature."""
        votes = np.asarray(features.T @ np.where(labels, 1, -1)).ravel()
        seen = np.asarray(features.sum(axis=0)).ravel()
        self.overall = 1 if 2 * labels.sum() >= len(labels) else -1
        self.votes = np.where(votes**2 < np.maximum(seen, 1), self.overall, votes)

    def score(self, features: Any) -> Floats:
        """Return the majority label of each query's feature."""
        votes = np.asarray(features @ self.votes).ravel()
        return (np.where(votes == 0, self.overall, votes) > 0).astype(np.float64)


class Linear:
    """Logistic regression on binary features.

    Attributes:
        weights: (features,) change of the log odds of refusal by each feature; set by `fit`.
        intercept: log odds without any feature.
    """

    def fit(self, features: Any, labels: Bools) -> None:
        """Fit one weight per feature."""
        self.weights = np.zeros(features.shape[1])
        # scikit-learn rejects data with one label, which a fold of a small dataset may have.
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
