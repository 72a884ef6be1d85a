"""All statistics of verdicts: counts in, rates with intervals out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import sqrt

from scipy.stats import norm

from unmirage.records import Rate, Verdict

LEVEL = 0.95


def wilson(k: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the Wilson score interval for k successes in n > 0 trials (Wilson 1927).

    Its coverage stays near nominal for small n and for shares near 0 or 1, where the Wald interval fails.
    """
    if not 0 <= k <= n or n == 0:
        raise ValueError(f"wilson needs 0 <= k <= n and n > 0, got k={k}, n={n}")
    z = float(norm.ppf(0.5 + level / 2))
    share = k / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (0.0 if k == 0 else centre - half), (1.0 if k == n else centre + half)


def rate(k: int, n: int, invalid: int = 0) -> Rate:
    """Return k / n with its Wilson interval; not estimable (all None) where n is 0."""
    if n == 0:
        return Rate(value=None, low=None, high=None, k=k, n=n, invalid=invalid)
    low, high = wilson(k, n)
    return Rate(value=k / n, low=low, high=high, k=k, n=n, invalid=invalid)


def share_of(verdict: Verdict, verdicts: Iterable[Verdict]) -> Rate:
    """Return the share of `verdict` among the valid ones."""
    found = list(verdicts)
    valid = [one for one in found if one is not Verdict.INVALID]
    return rate(sum(one is verdict for one in valid), len(valid), len(found) - len(valid))


def any_of(verdict: Verdict, shots: Iterable[Sequence[Verdict]]) -> Rate:
    """Return the share of samples with at least one shot of this verdict.

    Args:
        verdict: what counts as success.
        shots: for each sample, the verdicts of its shots. A sample with no success but an invalid shot is
            undecided, and leaves the denominator.
    """
    successes = valid = undecided = 0
    for verdicts in shots:
        if verdict in verdicts:
            successes += 1
        elif Verdict.INVALID in verdicts or not verdicts:
            undecided += 1
            continue
        valid += 1
    return rate(successes, valid, undecided)
