"""Two yes-or-no outcomes of the same samples in, their difference with interval and exact test out; and Holm's rule."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import TypeVar

from scipy.optimize import brentq
from scipy.stats import binomtest, norm

from unmirage.intervals import LEVEL

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Two shares over the same samples; all None where they have none in common.

    Attributes:
        n: samples that both have.
        only_a, only_b: samples with a yes on one side only.
        difference: share of b minus share of a.
        low, high: its 95 % interval (Tango 1998).
        p_value: exact McNemar test, two-sided; 1 where no sample differs.
    """

    n: int
    only_a: int
    only_b: int
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None


def paired(a: Mapping[Key, bool], b: Mapping[Key, bool]) -> Paired:
    """Compare two outcomes over the samples that both have.

    The test asks whether a yes on one side only falls on either side as a fair coin does (McNemar 1947, in its exact
    form). Discordant samples are all that it looks at, and all that Tango's interval needs beside n.
    """
    both = a.keys() & b.keys()
    n = len(both)
    only_a = sum(a[key] and not b[key] for key in both)
    only_b = sum(b[key] and not a[key] for key in both)
    if not n:
        return Paired(n=0, only_a=0, only_b=0, difference=None, low=None, high=None, p_value=None)
    low, high = difference_interval(only_a, only_b, n)
    discordant = only_a + only_b
    p_value = float(binomtest(only_b, discordant, 0.5).pvalue) if discordant else 1.0
    return Paired(
        n=n, only_a=only_a, only_b=only_b, difference=(only_b - only_a) / n, low=low, high=high, p_value=p_value
    )


def difference_interval(only_a: int, only_b: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the score interval of the difference b - a of two paired shares (Tango 1998, Stat. Med. 17, 891-908).

    It holds the differences that a score test does not reject; at a difference of 0 that test is McNemar's. Unlike
    Wald's interval it has a width where no sample differs.
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


def _score(delta: float, only_a: int, only_b: int, n: int) -> float:
    """Return Tango's statistic: how many standard errors the observed difference lies above `delta`."""
    # The likeliest share of samples with a yes in a only, were the difference delta: the root of
    # 2n q^2 + linear q - only_a delta (1 - delta) that is a share.
    linear = (2 * n - only_b + only_a) * delta - only_a - only_b
    root = sqrt(max(0.0, linear * linear + 8 * n * only_a * delta * (1 - delta)))
    q = max(0.0, (root - linear) / (4 * n), -delta)
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
