"""Successes and trials in, their share with its Wilson interval out; and values in, their mean with its t interval.

Trials that hang together, such as several shots at one query, go into it as the number of independent trials that
would tell as much.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import fsum, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from unmirage.records import Rate

LEVEL = 0.95
_NOTHING = 1e-12  # what rounding leaves where all clusters have the same share


def wilson(k: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Return the Wilson score interval for k successes in n > 0 trials (Wilson 1927).

    Its coverage stays near nominal for small n and for shares near 0 or 1, where the Wald interval fails.
    Neither number need be whole: trials that hang together count as fewer.
    """
    if not 0 <= k <= n or n == 0:
        raise ValueError(f"wilson needs 0 <= k <= n and n > 0, got k={k}, n={n}")
    z = float(norm.ppf(0.5 + level / 2))
    share = k / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (0.0 if k == 0 else max(0.0, centre - half)), (1.0 if k == n else min(1.0, centre + half))


def rate(k: float, n: int, invalid: int = 0) -> Rate:
    """Return k / n with its Wilson interval; not estimable (all None) where n is 0."""
    if n == 0:
        return Rate(value=None, low=None, high=None, k=k, n=n, invalid=invalid)
    low, high = wilson(k, n)
    return Rate(value=k / n, low=low, high=high, k=k, n=n, invalid=invalid)


def effective_trials(successes: Sequence[float], trials: Sequence[float], most: float) -> float:
    """Return how many independent trials would fix the pooled share as well as these clusters do.

    It is share * (1 - share) over the variance of the ratio sum(successes) / sum(trials) between clusters. Clusters
    of 0 or 1 give their number, so that the interval is then the plain one. Where nothing differs between clusters,
    or the share is 0 or 1, how far trials hang together cannot be seen: they count as one a cluster.

    Args:
        successes, trials: of each cluster; successes may be expectations.
        most: the number of trials, were they all independent.
    """
    total = fsum(trials)
    share = fsum(successes) / total
    spread = fsum((k - share * n) ** 2 for k, n in zip(successes, trials, strict=True))
    if not 0 < share < 1 or spread <= _NOTHING * total:
        return len(trials)
    return min(most, round(share * (1 - share) * total * total / spread, 9))


def clustered_rate(successes: Sequence[float], trials: Sequence[int], most: float, invalid: int = 0) -> Rate:
    """Return the pooled share of clusters of trials, with Wilson's interval for as many trials as they are worth."""
    found, n = fsum(successes), sum(trials)
    k = int(found) if found.is_integer() else found
    worth = effective_trials(successes, trials, most) if n else 0
    if worth == n:
        return rate(k, n, invalid)
    low, high = wilson(k / n * worth, worth)
    return Rate(value=k / n, low=low, high=high, k=k, n=n, invalid=invalid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean and its 95 % interval; all None where there is nothing to average, no interval where there is one group.

    Attributes:
        value: the mean of all values.
        low, high: confidence limits.
        n: values.
        groups: independent groups of values, such as pictures.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    groups: int


def mean(
    values: Sequence[float] | NDArray[np.float64],
    groups: Sequence[Hashable],
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Mean:
    """Return the mean with a t interval that takes the groups, not the values, as independent.

    The variance is the cluster-robust one of a ratio of sums (Cochran, Sampling Techniques, 1977, ch. 9A).

    Args:
        values: one a query.
        groups: what each value hangs together by.
        bounds: the interval is kept within them.
    """
    found = np.asarray(values, dtype=np.float64)
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    if not len(found):
        return Mean(value=None, low=None, high=None, n=0, groups=0)
    centre = float(found.mean())
    count = len(numbers)
    if count < 2:
        return Mean(value=centre, low=None, high=None, n=len(found), groups=count)
    sums = np.bincount([numbers[group] for group in groups], weights=found - centre)
    error = sqrt(count / (count - 1) * float((sums**2).sum())) / len(found)
    half = float(t.ppf(0.5 + LEVEL / 2, count - 1)) * error
    return Mean(
        value=centre, low=max(bounds[0], centre - half), high=min(bounds[1], centre + half), n=len(found), groups=count
    )
