"""Paired comparison of two yes-or-no outcomes of the same samples: difference, interval, exact test, Holm's correction.

Samples of one cluster are not independent. The interval counts them as the number of independent samples that would
fix the difference as well, and the test flips the signs of whole clusters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import TypeVar

import numpy as np
from scipy.optimize import brentq
from scipy.signal import convolve
from scipy.stats import binom, norm

from unmirage.intervals import LEVEL, Floats, equal_clusters, numbered, ratio_spread

Key = TypeVar("Key", bound=Hashable)
_NOTHING = 1e-9  # what rounding leaves of a residual


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Two shares over the same samples; all None where they have none in common.

    Attributes:
        n: samples that both have.
        only_a, only_b: samples with a yes on one side only.
        difference: share of b minus share of a.
        low, high: its 95 % interval; see `paired`.
        p_value: exact, two-sided; see `sign_flip_test`.
        clusters: clusters of these samples.
        design_effect: variance of the difference, over that of n independent samples; None where the clusters do not
            show it.
    """

    n: int
    only_a: int
    only_b: int
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    clusters: int = 0
    design_effect: float | None = None


def paired(a: Mapping[Key, bool], b: Mapping[Key, bool], clusters: Mapping[Key, Hashable] | None = None) -> Paired:
    """Compare two outcomes over the samples that both have.

    The interval is Tango's score interval (`difference_interval`) for as many samples as the clusters are worth, found
    as for a share (`intervals.effective_trials`): it has a width where no sample differs, stays within -1 and 1, and
    is never narrower than that of independent samples, which it equals where each cluster is one sample.

    Args:
        a, b: yes or no by sample.
        clusters: of each sample; each is a cluster of its own where it is None.
    """
    both = sorted((key for key in a if key in b), key=repr)
    n = len(both)
    if not n:
        return Paired(n=0, only_a=0, only_b=0, difference=None, low=None, high=None, p_value=None)
    only_a = sum(a[key] and not b[key] for key in both)
    only_b = sum(b[key] and not a[key] for key in both)
    number = numbered(both if clusters is None else [clusters[key] for key in both])
    sizes = np.bincount(number).astype(np.float64)
    gained = np.bincount(number, weights=[b[key] - a[key] for key in both]).astype(np.float64)
    effect, inflation = _inflation(gained, sizes, only_a, only_b)
    low, high = difference_interval(only_a / inflation, only_b / inflation, n / inflation)
    return Paired(
        n=n,
        only_a=only_a,
        only_b=only_b,
        difference=(only_b - only_a) / n,
        low=low,
        high=high,
        p_value=sign_flip_test(gained.astype(int).tolist()),
        clusters=len(sizes),
        design_effect=effect,
    )


def _inflation(gained: Floats, sizes: Floats, only_a: int, only_b: int) -> tuple[float | None, float]:
    """Return the design effect, and by how much the number of samples exceeds that of independent ones."""
    n = float(sizes.sum())
    if len(sizes) == n:
        return 1.0, 1.0
    difference = (only_b - only_a) / n
    independent = ((only_a + only_b) / n - difference**2) / n
    residuals = gained - difference * sizes
    most = n / equal_clusters(sizes)
    if independent <= 0 or not np.any(np.abs(residuals) > _NOTHING):
        return None, most
    spread = ratio_spread(residuals, sizes)
    effect = spread.variance / independent
    return effect, min(most, max(1.0, effect * spread.widening))


def sign_flip_test(gained: Sequence[int]) -> float:
    """Return the exact two-sided p-value of a sum of differences, were each as likely with the other sign.

    All ways to flip the signs count, by convolution: nothing is drawn. With differences of -1, 0 and 1, that is one
    sample a cluster, it is the exact McNemar test (McNemar 1947). It assumes that the difference of a cluster is
    symmetric about 0 where there is no difference; 1 where all are 0.

    Args:
        gained: the difference of each cluster.
    """
    chances = np.ones(1)  # of each sum, from -reach to reach in steps of 1
    for size, times in sorted(Counter(abs(one) for one in gained if one).items()):
        steps = np.zeros(2 * size * times + 1)
        steps[:: 2 * size] = binom.pmf(np.arange(times + 1), times, 0.5)
        chances = np.clip(convolve(chances, steps), 0.0, None)
    reach, found = len(chances) // 2, abs(sum(gained))
    tail = float(chances[reach + found :].sum() + chances[: reach - found + 1].sum())
    return min(1.0, tail)


def difference_interval(only_a: float, only_b: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Return the score interval of the difference b - a of two paired shares (Tango 1998, Stat. Med. 17, 891-908).

    It holds the differences that a score test does not reject; at a difference of 0 that test is McNemar's. Unlike
    Wald's interval it has a width where no sample differs. The counts need not be whole: samples of one cluster count
    as fewer.
    """
    if not 0 <= only_a + only_b <= n or min(only_a, only_b) < 0 or n == 0:
        raise ValueError(f"needs only_a + only_b <= n and n > 0, got only_a={only_a}, only_b={only_b}, n={n}")
    z = float(norm.ppf(0.5 + level / 2))

    def score(delta: float, limit: float) -> float:
        return _score(delta, only_a, only_b, n) - limit

    # The score falls from +inf to -inf between -1 and 1, so that each limit is its one crossing of z or -z.
    low = -1.0 if only_a == n else brentq(score, -1.0, 1.0, args=(z,), xtol=1e-12)
    high = 1.0 if only_b == n else brentq(score, -1.0, 1.0, args=(-z,), xtol=1e-12)
    return float(low), float(high)


def _score(delta: float, only_a: float, only_b: float, n: float) -> float:
    """Return Tango's statistic: how many standard errors the observed difference lies above `delta`."""
    # The likeliest share of samples with a yes in a only, were the difference delta: the larger root of
    # 2n q^2 + linear q - only_a delta (1 - delta). The quadratic is -only_a delta (1 - delta) at q = 0 and
    # only_b delta (1 + delta) at q = -delta, so the root is at least 0 and at least -delta without being kept there;
    # where both are 0, rounding may leave less than 0 under the square root.
    linear = (2 * n - only_b + only_a) * delta - only_a - only_b
    root = sqrt(max(0.0, linear * linear + 8 * n * only_a * delta * (1 - delta)))
    q = (root - linear) / (4 * n)
    variance = n * (2 * q + delta * (1 - delta))
    above = only_b - only_a - n * delta
    if variance <= 0:
        return 0.0 if above == 0 else inf * above
    return above / sqrt(variance)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return the p-values corrected for how many there are, so that a false alarm among all stays as rare (Holm 1979).

    None, a test that could not be made, stays None and does not count.
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, index) in enumerate(known):
        least = max(least, min(1.0, (len(known) - rank) * p))
        adjusted[index] = least
    return adjusted
