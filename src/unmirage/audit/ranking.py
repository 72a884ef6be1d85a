"""Measure how well a score ranks refused queries above answered ones: the area under the ROC curve, with its interval.

It is the Mann-Whitney statistic: the probability that a random refused query has a higher score than a random answered
one; ties count half. The variance is that of its linearization summed by cluster (DeLong 1988, Obuchowski 1997).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from unmirage.audit.corpus import Bools, Floats, Ints
from unmirage.intervals import LEVEL, wilson
from unmirage.records import Share

_NOTHING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Auc:
    """Area under the ROC curve with its 95 % confidence interval; None if not estimable."""

    value: Share | None = None
    low: Share | None = None
    high: Share | None = None


def auc(score: Floats, refused: Bools, clusters: Ints, strata: Ints | None = None) -> Auc:
    """Return the area under the ROC curve.

    With strata, only pairs within a stratum are compared, because scores of different folds come from different rules:
    a fold with more refused queries leaves fewer to train on, and gets lower scores. The interval is Wilson's for the
    number of independent trials with the same variance, so it has a width at 0 and 1.

    Args:
        score: (n,) higher for queries that are more likely refused.
        refused: (n,) the labels.
        clusters: (n,) the cluster of each query; queries of a cluster depend on each other.
        strata: (n,) such as the fold of each query; None for one stratum.
    """
    strata = np.zeros(len(score), dtype=np.int64) if strata is None else np.unique(strata, return_inverse=True)[1]
    yes, no = (np.bincount(strata[label], minlength=int(strata.max(initial=0)) + 1) for label in (refused, ~refused))
    pairs = yes * no
    if not pairs.any():
        return Auc()
    wins = _wins(score, refused, strata)
    of_stratum = np.bincount(strata[refused], weights=wins[refused], minlength=len(pairs))
    value = float(of_stratum.sum() / pairs.sum())
    opponents = np.where(refused, no[strata], yes[strata])
    expected = np.divide(of_stratum, pairs, out=np.zeros(len(pairs)), where=pairs > 0)[strata] * opponents
    _, number = np.unique(clusters, return_inverse=True)
    moved = np.bincount(number, weights=(wins - expected) / pairs.sum()).astype(np.float64)
    trials = _trials(value, moved, *(len(np.unique(number[label])) for label in (refused, ~refused)))
    low, high = wilson(value * trials, trials)
    return Auc(value=value, low=min(low, value), high=max(high, value))


def _wins(score: Floats, refused: Bools, strata: Ints) -> Floats:
    """Return how many queries of the other label in its stratum each query is ranked rightly with; ties count half."""
    order = np.lexsort((score, strata))
    stratum, sorted_score, label = strata[order], score[order], refused[order]
    starts = np.concatenate([[True], (stratum[1:] != stratum[:-1]) | (sorted_score[1:] != sorted_score[:-1])])
    tie = np.cumsum(starts) - 1
    yes, no = (np.bincount(tie[one], minlength=int(tie[-1]) + 1) for one in (label, ~label))
    of_tie = stratum[starts]
    first = np.searchsorted(of_tie, of_tie)  # the first tie of the same stratum
    last = np.searchsorted(of_tie, of_tie, side="right")
    sums_yes, sums_no = (np.concatenate([[0], np.cumsum(one)]) for one in (yes, no))
    below = sums_no[:-1] - sums_no[first] + no / 2
    above = sums_yes[last] - sums_yes[1:] + yes / 2
    wins = np.empty(len(score))
    wins[order] = np.where(label, below[tie], above[tie])
    return wins


def _trials(value: float, moved: Floats, first: int, second: int) -> float:
    """Return how many independent trials would give the value as precisely as the clusters.

    The number is at most twice the harmonic mean of the clusters of both labels, and where no pair, or every pair, is
    ranked wrongly, that of the rarer label.

    Args:
        moved: what each cluster moves the value by.
        first, second: number of clusters with each label.
    """
    count, fewest = len(moved), min(first, second)
    variance = count / (count - 1) * float((moved**2).sum()) if count > 1 else 0.0
    if variance * count <= _NOTHING or not 0 < value < 1:
        return float(fewest)
    level = 0.5 + LEVEL / 2
    widening = float((stdtrit(max(1, fewest - 1), level) / ndtri(level)) ** 2)
    return min(4 * first * second / (first + second), value * (1 - value) / (variance * widening))
