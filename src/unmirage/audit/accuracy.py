"""What a probe scored: the record that a rung of the predictability ladder is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """How well a feature predicts refusal, as shares of queries; None where it cannot be estimated.

    Attributes:
        train: on the queries that the rule was learned from.
        test: on queries it has not seen.
        baseline: what always guessing the majority scores on those same unseen queries.
        low, high: 95 % interval of `test`; queries about one picture count as one where they fare alike.
        n: unseen queries.
    """

    train: float | None
    test: float | None
    baseline: float | None
    low: float | None
    high: float | None
    n: int
