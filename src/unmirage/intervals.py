"""Successes and trials in, their share with its Wilson interval out. The house's one interval for a share."""

from __future__ import annotations

from math import sqrt

from scipy.stats import norm

from unmirage.records import Rate

LEVEL = 0.95


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


def rate(k: int, n: int, invalid: int = 0) -> Rate:
    """Return k / n with its Wilson interval; not estimable (all None) where n is 0."""
    if n == 0:
        return Rate(value=None, low=None, high=None, k=k, n=n, invalid=invalid)
    low, high = wilson(k, n)
    return Rate(value=k / n, low=low, high=high, k=k, n=n, invalid=invalid)
