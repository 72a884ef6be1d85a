"""Confidence intervals of shares and means, for independent trials and for trials in clusters.

Trials in one cluster, such as questions about one picture, are not independent. Their intervals count them as the
number of independent trials that would give an equally precise share.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import fsum, inf, sqrt
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from unmirage.records import Count, Rate, Unwritten

LEVEL = 0.95
_NOTHING = 1e-12  # what rounding leaves where all clusters have the same share

Floats = NDArray[np.float64]


def wilson(k: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Return the Wilson score interval for k successes in n > 0 trials (Wilson 1927).

    Its coverage stays near nominal for small n and for shares near 0 or 1, where the Wald interval fails.
    Both numbers may be fractions, because dependent trials count as fewer.
    """
    if not 0 <= k <= n or n == 0:
        raise ValueError(f"wilson needs 0 <= k <= n and n > 0, got k={k}, n={n}")
    z = float(ndtri(0.5 + level / 2))
    share = k / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (0.0 if k == 0 else max(0.0, centre - half)), (1.0 if k == n else min(1.0, centre + half))


def rate(k: float, n: int, invalid: int = 0, bounds: tuple[float, float] | None = None) -> Rate:
    """Return k / n of n independent trials with its Wilson interval; not estimable (no value) where n is 0.

    Args:
        k, n: successes and trials.
        invalid: trials without a verdict.
        bounds: worst-case bounds of the value; None computes them with all invalid trials as failures, or as successes.
    """
    if bounds is None and n + invalid:
        bounds = k / (n + invalid), (k + invalid) / (n + invalid)
    least, most = bounds or (None, None)
    if n == 0:
        return Rate(value=None, low=None, high=None, k=k, n=n, invalid=invalid, clusters=0, least=least, most=most)
    low, high = wilson(k, n)
    return Rate(
        value=k / n,
        low=low,
        high=high,
        k=k,
        n=n,
        invalid=invalid,
        clusters=n,
        design_effect=1.0,
        least=least,
        most=most,
    )


def clustered_rate(
    successes: Sequence[float] | NDArray[np.bool_],
    clusters: Sequence[Hashable] | NDArray[np.int64],
    *,
    trials: Sequence[int] | None = None,
    most: float | None = None,
    invalid: int = 0,
    bounds: tuple[float, float] | None = None,
) -> Rate:
    """Return the pooled share of trials in clusters, with Wilson's interval for its effective number of trials.

    It equals `rate` where each cluster is one trial. See `effective_trials` for the number that the interval takes.

    Args:
        successes: of each unit, such as a query; may be expectations.
        clusters: the cluster of each unit.
        trials: of each unit; 1 where it is None.
        most: the number of trials, were they all independent; the sum of `trials` where it is None.
        invalid, bounds: go into the rate, as in `rate`.
    """
    found = _Clusters.of(successes, clusters, trials)
    n, k = int(found.total), fsum(successes)
    k = int(k) if k.is_integer() else k
    if most is None:
        most = n
    plain = rate(k, n, invalid, bounds)
    if not n or (found.single and most == n):
        return plain
    worth, share = found.worth(most), k / n
    low, high = wilson(share * worth, worth)
    return replace(
        plain,
        low=min(low, share),  # rounding may put a limit of 5e-17 above a share of 1e-176
        high=max(high, share),
        clusters=len(found.sizes),
        design_effect=found.design_effect(),
    )


def effective_trials(
    successes: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    trials: Sequence[int] | None = None,
    most: float | None = None,
) -> float:
    """Return how many independent trials would give the pooled share as precisely as these clusters do.

    With n trials it is n / (design effect * (t / z)^2), never more than `most`. The design effect is the variance of
    the share between clusters (see `ratio_spread`) over share * (1 - share) / n; t is Student's quantile with the
    degrees of freedom of that variance and z the normal one. The least is the number of clusters, or for unequal sizes
    the number of equal clusters that tell as much (`equal_clusters`): the right number if all trials of a cluster
    agree. It is also used where the data do not show how far the trials of a cluster depend on each other: where no two
    clusters differ, where the share is 0 or 1, and where there is one cluster.

    Args:
        successes, clusters, trials, most: as in `clustered_rate`; at least one trial.
    """
    found = _Clusters.of(successes, clusters, trials)
    if most is None:
        most = found.total
    return found.total if found.single and most == found.total else found.worth(most)


class _Interval(Protocol):
    """An estimate with confidence limits; None if not estimable."""

    @property
    def low(self) -> float | None: ...

    @property
    def high(self) -> float | None: ...


Estimate = TypeVar("Estimate", bound=_Interval)


def widest(estimates: Iterable[Estimate]) -> Estimate:
    """Return the estimate with the widest interval, such as of several ways to cluster; the first if none has one."""
    return max(estimates, key=lambda one: 0.0 if one.low is None or one.high is None else one.high - one.low)


@dataclass(frozen=True, slots=True)
class Spread:
    """The variance of a ratio of sums over clusters, and the degrees of freedom with which it is known."""

    variance: float
    freedom: float

    @property
    def widening(self) -> float:
        """Return the square of Student's quantile over the square of the normal one."""
        level = 0.5 + LEVEL / 2
        return float((stdtrit(self.freedom, level) / ndtri(level)) ** 2)


def ratio_spread(residuals: Floats, sizes: Floats) -> Spread:
    """Return the delete-one-cluster jackknife variance of a ratio sum(y) / sum(sizes), and its degrees of freedom.

    Leaving out cluster i moves the ratio by residual_i / (total - size_i). The degrees of freedom are the least of two
    approximations: 2 G / (kurtosis - 1), with the kurtosis of what the G clusters move it by (Satterthwaite: few
    clusters that make up most of the variance tell little about it), and 1 / sum(share of the trials^2) - 1 (unequal
    sizes count as fewer clusters); at least 1. G equal clusters have G - 1.

    Args:
        residuals: y_i - ratio * size_i of each cluster; two clusters at least, and one residual that is not 0.
        sizes: trials of each cluster.
    """
    count, total = len(sizes), float(sizes.sum())
    moved = residuals / (total - sizes)
    squares = moved**2
    kurtosis = count * float((squares**2).sum()) / float(squares.sum()) ** 2
    alike = 2 * count / (kurtosis - 1) if kurtosis > 1 else inf
    return Spread(
        variance=(count - 1) / count * float(squares.sum()),
        freedom=max(1.0, min(alike, equal_clusters(sizes) - 1)),
    )


def equal_clusters(sizes: Floats) -> float:
    """Return how many clusters of equal sizes tell as much as these: 1 / sum(share of the trials^2)."""
    return float(sizes.sum()) ** 2 / float((sizes**2).sum())


@dataclass(frozen=True, slots=True, eq=False)
class _Clusters:
    """Successes and trials of each cluster, in an order that does not depend on that of the units."""

    successes: Floats
    sizes: Floats

    @classmethod
    def of(
        cls,
        successes: Sequence[float] | NDArray[np.bool_],
        clusters: Sequence[Hashable] | NDArray[np.int64],
        trials: Sequence[int] | None,
    ) -> _Clusters:
        found = np.asarray(successes, dtype=np.float64)
        number = numbered(clusters)
        weights = np.ones(len(found)) if trials is None else np.asarray(trials, dtype=np.float64)
        order = np.lexsort((weights, found))  # so that sums of fractions do not depend on the order of the units
        sums = np.bincount(number[order], weights=found[order]).astype(np.float64)
        sizes = np.bincount(number[order], weights=weights[order]).astype(np.float64)
        order = np.lexsort((sums[sizes > 0], sizes[sizes > 0]))
        return cls(sums[sizes > 0][order], sizes[sizes > 0][order])

    @property
    def total(self) -> float:
        return float(self.sizes.sum())

    @property
    def single(self) -> bool:
        """Say whether each cluster is one trial."""
        return bool((self.sizes == 1).all())

    def _spread(self) -> Spread | None:
        """Return the spread of the share; None where the clusters do not show it, as one alone never does."""
        residuals = self.successes - self.successes.sum() / self.total * self.sizes
        told = float((residuals**2).sum()) > _NOTHING * self.total
        return ratio_spread(residuals, self.sizes) if told else None

    def _independent(self) -> float:
        """Return the variance of the share, were the trials independent."""
        share = float(self.successes.sum()) / self.total
        return share * (1 - share) / self.total

    def design_effect(self) -> float | None:
        spread, independent = self._spread(), self._independent()
        return None if spread is None or independent <= 0 else spread.variance / independent

    def worth(self, most: float) -> float:
        spread, independent = self._spread(), self._independent()
        least = equal_clusters(self.sizes)
        if spread is None or independent <= 0:
            return min(most, least)
        return min(most, max(least, round(self.total * independent / (spread.variance * spread.widening), 9)))


def numbered(clusters: Sequence[Hashable] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number for each unit's cluster, from 0 on."""
    if isinstance(clusters, np.ndarray):
        return np.unique(clusters, return_inverse=True)[1].astype(np.int64)
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    return np.fromiter((numbers[cluster] for cluster in clusters), dtype=np.int64, count=len(clusters))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean and its 95 % interval; all None where there is nothing to average, no interval where there is one group.

    Attributes:
        value: the mean of all values.
        low, high: confidence limits.
        n: values.
        groups: independent groups of values, such as pictures; not in documents.
    """

    value: float | None
    low: float | None
    high: float | None
    n: Count
    groups: Unwritten[int] = 0


def mean(
    values: Sequence[float] | NDArray[np.float64],
    groups: Sequence[Hashable],
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Mean:
    """Return the mean with a t interval that assumes independent groups, not independent values.

    The variance is the cluster-robust one of a ratio of sums (Cochran, Sampling Techniques, 1977, ch. 9A).

    Args:
        values: one a query.
        groups: the group of each value; values of one group may depend on each other.
        bounds: the interval is kept within them.
    """
    found = np.asarray(values, dtype=np.float64)
    number = numbered(groups)
    if not len(found):
        return Mean(value=None, low=None, high=None, n=0, groups=0)
    centre = float(found.mean())
    count = int(number.max()) + 1
    if count < 2:
        return Mean(value=centre, low=None, high=None, n=len(found), groups=count)
    sums = np.bincount(number, weights=found - centre)
    error = sqrt(count / (count - 1) * float((sums**2).sum())) / len(found)
    half = float(stdtrit(count - 1, 0.5 + LEVEL / 2)) * error
    return Mean(
        value=centre, low=max(bounds[0], centre - half), high=min(bounds[1], centre + half), n=len(found), groups=count
    )
