"""Compute attack success by number of shots: any of k shots at a query, and each shot alone.

The rate of "any of k" averages over all ways to choose k of a query's shots. With n valid shots and c successes it is
1 - C(n-c, k) / C(n, k). This is the unbiased estimator of pass@k (Chen et al. 2021, arXiv 2107.03374, equation 1). It
does not depend on the order of the shots.

A query with fewer than k valid shots is excluded at k, even if one of its shots succeeded. Keeping only the successes
among such queries would bias the rate upward with every missing verdict. This assumes that verdicts are missing at
random; the worst-case bounds do not: they count every shot that lacks a verdict as a failure, or as a success.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from itertools import zip_longest
from math import fsum

import numpy as np
import numpy.typing as npt

from unmirage.evaluate.rates import Clusters, share_of
from unmirage.intervals import clustered_rate
from unmirage.records import Rate, Verdict

Shots = Sequence[Sequence[Verdict]]  # for each query, the verdicts of its shots in their order


def any_of_k(n: int, c: int, k: int) -> float:
    """Return the probability that k of n shots, drawn without replacement, include at least one of c successes."""
    if not 1 <= k <= n or not 0 <= c <= n:
        raise ValueError(f"any_of_k needs 1 <= k <= n and 0 <= c <= n, got n={n}, c={c}, k={k}")
    return _any_of(n, c, k)


def k_curve(verdict: Verdict, shots: Shots, clusters: Clusters = None) -> tuple[Rate, ...]:
    """Return the rate of "any of k shots has this verdict" for k = 1 .. K, the maximum number of shots of a query.

    If every query has K valid shots, the last rate is the share of queries with a success.

    Args:
        verdict: verdict that counts as success.
        shots: verdicts on the shots of each query.
        clusters: cluster of each query; None makes each query its own cluster.
    """
    counts = [_counts(verdict, own) for own in shots]
    own = _each(shots, clusters)
    most = max(map(len, shots), default=0)
    return tuple(_at(k, counts, [*map(len, shots)], own) for k in range(1, most + 1))


def shot_rates(verdict: Verdict, shots: Shots, clusters: Clusters = None) -> tuple[Rate, ...]:
    """Return the rate of each shot position, which shows whether one wording causes most of the effect."""
    own = _each(shots, clusters)
    return tuple(
        share_of(
            verdict,
            (one for one in column if one is not None),
            [cluster for one, cluster in zip(column, own, strict=True) if one is not None],
        )
        for column in zip_longest(*shots, fillvalue=None)
    )


def pooled_shots(verdict: Verdict, shots: Shots, clusters: Clusters = None) -> Rate:
    """Return the share of a verdict among all single shots. Shots at one query share a cluster."""
    counts = [_counts(verdict, own) for own in shots]
    valid = [n for n, _ in counts]
    missing = sum(map(len, shots)) - sum(valid)
    return clustered_rate([c for _, c in counts], _each(shots, clusters), trials=valid, invalid=missing)


def _each(shots: Shots, clusters: Clusters) -> Sequence[Hashable]:
    """Return the cluster of each query."""
    return range(len(shots)) if clusters is None else list(clusters)


def _counts(verdict: Verdict, shots: Sequence[Verdict]) -> tuple[int, int]:
    """Return the number of valid shots and the number of successes."""
    return sum(one is not Verdict.INVALID for one in shots), sum(one is verdict for one in shots)


def _at(k: int, counts: Sequence[tuple[int, int]], asked: Sequence[int], clusters: Sequence[Hashable]) -> Rate:
    enough = [(pair, cluster) for pair, cluster in zip(counts, clusters, strict=True) if pair[0] >= k]
    # A query with fewer than k shots lacks the verdicts of the others too.
    filled = [(max(total, k), n, c) for total, (n, c) in zip(asked, counts, strict=True)]
    least = fsum(_any_of(total, c, k) for total, _, c in filled) / len(filled)
    most = fsum(_any_of(total, c + total - n, k) for total, n, c in filled) / len(filled)
    return clustered_rate(
        [_any_of(*pair, k) for pair, _ in enough],
        [cluster for _, cluster in enough],
        most=sum(n for (n, _), _ in enough) / k,  # n valid shots contain at most n / k independent draws of k
        invalid=len(counts) - len(enough),
        bounds=None if all(total == n for total, n, _ in filled) else (least, most),
    )


@lru_cache(4096)
def _any_of(n: int, c: int, k: int) -> float:
    return float(_curve(n, c)[k - 1])


def _curve(n: int, c: int) -> npt.NDArray[np.float64]:
    """Return 1 - C(n-c, k) / C(n, k) for k = 1 .. n.

    The ratio is a product of 1 - c / (n - i) over i < k. Summing logarithms avoids overflow of binomial coefficients
    and loss of precision for small probabilities.
    """
    left = n - np.arange(n, dtype=np.float64)
    with np.errstate(divide="ignore"):  # log 0: more draws than failures, so a success is certain
        missed = np.cumsum(np.log1p(-np.minimum(c / left, 1.0)))
    curve: npt.NDArray[np.float64] = -np.expm1(missed) + 0.0  # adding 0 turns -0.0 into 0.0
    return curve
