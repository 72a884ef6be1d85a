"""Compute means of clustered values with bootstrap confidence intervals, and means of rates over seeds.

For shares near 0 or 1, or with a single value, Wilson's interval with the effective number of trials
(`intervals.clustered_rate`) has better coverage. See docs/statistics.md for the measurements.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from math import fsum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from unmirage.evaluate.named_rates import all_rates
from unmirage.evaluate.outcomes import ModelRates
from unmirage.intervals import LEVEL, Mean, mean

DRAWS = 2000
_CELLS = 2_000_000  # maximum cells of the draws x clusters table, which bounds memory use

Values = NDArray[np.float64]


def clustered_bootstrap(clusters: Sequence[Sequence[float]], seed: int = 0, draws: int = DRAWS) -> Mean:
    """Return the mean of all values with a confidence interval from resampling whole clusters.

    The interval is bias-corrected and accelerated (BCa; Efron 1987, J. Am. Stat. Assoc. 82, 171-185). It is None if
    there is only one cluster or all clusters have the same mean.

    Args:
        clusters: values of each cluster, such as the K shots of a query. Empty clusters are excluded.
        seed: random seed.
        draws: number of bootstrap samples.
    """
    kept = [(fsum(own), len(own)) for own in clusters if len(own)]
    n = sum(size for _, size in kept)
    if not kept:
        return Mean(value=None, low=None, high=None, n=0, groups=0)
    # Clusters with equal sum and size are interchangeable, so a multinomial draw of their counts is enough.
    kinds = sorted(Counter(kept).items())
    sums = np.array([total for (total, _), _ in kinds])
    sizes = np.array([size for (_, size), _ in kinds], dtype=np.float64)
    counts = np.array([count for _, count in kinds])
    value = fsum(total for total, _ in kept) / n
    if np.ptp(sums / sizes) == 0:
        return Mean(value=value, low=None, high=None, n=n, groups=len(kept))
    drawn = np.concatenate(list(_means(sums, sizes, counts, np.random.default_rng(seed), draws)))
    low, high = np.quantile(drawn, _levels(value, drawn, sums, sizes, counts))
    return Mean(value=value, low=float(low), high=float(high), n=n, groups=len(kept))


def mean_by_cluster(values: Iterable[tuple[Hashable, float]]) -> Mean:
    """Return the mean of values, each with its cluster, with the interval of `clustered_bootstrap`."""
    clusters: dict[Hashable, list[float]] = defaultdict(list)
    for cluster, value in values:
        clusters[cluster].append(value)
    return clustered_bootstrap(list(clusters.values()))


def mean_over_seeds(rates: Sequence[float]) -> Mean:
    """Return the mean of a rate over seeds with a t interval. A single seed has no interval."""
    return mean(rates, range(len(rates)))


def _means(
    sums: Values, sizes: Values, counts: NDArray[np.int64], random: np.random.Generator, draws: int
) -> Iterator[Values]:
    """Yield the means of bootstrap samples: the same number of clusters, drawn with replacement."""
    total = int(counts.sum())
    at_once = max(1, _CELLS // len(counts))
    for start in range(0, draws, at_once):
        chosen = random.multinomial(total, counts / total, size=min(at_once, draws - start))
        yield (chosen @ sums) / (chosen @ sizes)


def _levels(value: float, drawn: Values, sums: Values, sizes: Values, counts: NDArray[np.int64]) -> tuple[float, float]:
    """Return the quantiles of the draws that are the interval limits.

    These are the percentile interval's quantiles, adjusted for bias (draws on one side of the mean) and acceleration
    (skewness of the leave-one-cluster-out means).
    """
    below = (np.sum(drawn < value) + np.sum(drawn == value) / 2) / len(drawn)
    bias = float(norm.ppf(np.clip(below, 1 / len(drawn), 1 - 1 / len(drawn))))
    without = (sums @ counts - sums) / (sizes @ counts - sizes)
    off = float(counts @ without) / counts.sum() - without
    spread = float(counts @ off**2)
    skew = float(counts @ off**3) / (6 * spread**1.5) if spread > 0 else 0.0
    tail = float(norm.ppf(0.5 + LEVEL / 2))
    moved = [bias + (bias + z) / (1 - skew * (bias + z)) for z in (-tail, tail)]
    low, high = (float(norm.cdf(z)) for z in moved)
    return low, high


FEW = 12  # smallest number for which docs/statistics.md reports the measured coverage of the intervals


def few_clusters(models: Iterable[ModelRates]) -> str | None:
    """Return a one-line warning that lists rates with fewer than `FEW` clusters; None if there are none.

    The warning gives the smallest number over all models. Unmeasured rates do not count.
    """
    found: dict[str, int] = {}
    kinds: set[str] = set()
    for rates in models:
        kinds |= {*rates.clustered_by}
        for name, rate in all_rates(rates):
            if rate.clusters:
                found[name] = min(rate.clusters, found.get(name, rate.clusters))
    few: dict[int, list[str]] = defaultdict(list)
    for name, clusters in found.items():
        if clusters < FEW:
            few[clusters].append(name)
    if not few:
        return None
    each = "; ".join(f"{clusters} for {', '.join(few[clusters])}" for clusters in sorted(few))
    return (
        f"fewer than {FEW} independent clusters ({' or '.join(sorted(kinds))}): {each}; their intervals are wide and "
        "approximate"
    )
