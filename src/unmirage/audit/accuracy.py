"""Accuracy of a probe, one rung of the predictability ladder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Accuracy of a probe that predicts refusal, as shares of queries; None if not estimable.

    Attributes:
        train: accuracy on the training queries of the probe.
        test: accuracy on unseen queries.
        baseline: accuracy of the majority guess on the same unseen queries.
        low, high: 95 % confidence interval of `test`; dependent queries about one picture count as one.
        n: number of unseen queries.
    """

    train: float | None
    test: float | None
    baseline: float | None
    low: float | None
    high: float | None
    n: int
