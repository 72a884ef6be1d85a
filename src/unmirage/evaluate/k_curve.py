"""The success of an attack by its number of shots: any of k shots at a query, and each shot alone.

The rate of "any of k" is an average over all ways to choose k of a query's shots: with n valid shots of which c
succeeded, 1 - C(n-c, k) / C(n, k). It is the unbiased estimator of pass@k (Chen et al. 2021, arXiv 2107.03374,
equation 1), and does not depend on the order of the shots.

A query with fewer than k valid shots leaves the denominator at k, whether or not one of them succeeded. To keep
only the successes among such queries, which are certain, would keep them for being successes: the rate would rise
with every shot that has no verdict.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from unmirage.evaluate.rates import Clusters, share_of
from unmirage.intervals import clustered_rate
from unmirage.records import Rate, Verdict

Shots = Sequence[Sequence[Verdict]]  # for each query, the verdicts of its shots in their order


def any_of_k(n: int, c: int, k: int) -> float:
    """Return the chance that k of n shots, drawn without replacement, hold at least one of the c successes."""
    if not 1 <= k <= n or not 0 <= c <= n:
        raise ValueError(f"any_of_k needs 1 <= k <= n and 0 <= c <= n, got n={n}, c={c}, k={k}")
    return float(_curve(n, c)[k - 1])


def k_curve(verdict: Verdict, shots: Shots, clusters: Clusters = None) -> tuple[Rate, ...]:
    """Return the rate of "any of k shots has this verdict" for k = 1 .. K, the most shots of any query.

    Where every query has K valid shots, the last rate is the share of queries with a success.

    Args:
        verdict: what counts as success.
        shots: of each query.
        clusters: of each query.
    """
    counts = [_counts(verdict, own) for own in shots]
    curves = {pair: _curve(*pair) for pair in set(counts)}
    own = _each(shots, clusters)
    most = max(map(len, shots), default=0)
    return tuple(_at(k, counts, own, curves) for k in range(1, most + 1))


def shot_rates(verdict: Verdict, shots: Shots, clusters: Clusters = None) -> tuple[Rate, ...]:
    """Return the rate of each shot alone, by its place; it shows whether one wording has most of the effect."""
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
    """Return the share of a verdict among all single shots; shots at one query are in one cluster."""
    counts = [_counts(verdict, own) for own in shots]
    valid = [n for n, _ in counts]
    missing = sum(map(len, shots)) - sum(valid)
    return clustered_rate([c for _, c in counts], _each(shots, clusters), trials=valid, invalid=missing)


def _each(shots: Shots, clusters: Clusters) -> Sequence[Hashable]:
    """Return the cluster of each query."""
    return range(len(shots)) if clusters is None else list(clusters)


def _counts(verdict: Verdict, shots: Sequence[Verdict]) -> tuple[int, int]:
    """Return the numbers of valid shots and of successes."""
    return sum(one is not Verdict.INVALID for one in shots), sum(one is verdict for one in shots)


def _at(
    k: int,
    counts: Sequence[tuple[int, int]],
    clusters: Sequence[Hashable],
    curves: dict[tuple[int, int], npt.NDArray[np.float64]],
) -> Rate:
    enough = [(pair, cluster) for pair, cluster in zip(counts, clusters, strict=True) if pair[0] >= k]
    return clustered_rate(
        [float(curves[pair][k - 1]) for pair, _ in enough],
        [cluster for _, cluster in enough],
        most=sum(n for (n, _), _ in enough) / k,  # n valid shots make n / k independent draws of k, and never more
        invalid=len(counts) - len(enough),
    )


def _curve(n: int, c: int) -> npt.NDArray[np.float64]:
    """Return 1 - C(n-c, k) / C(n, k) for k = 1 .. n.

    The ratio is a product of 1 - c / (n - i) over i < k. Its logarithm is summed, so that neither a binomial
    coefficient overflows nor a small chance is lost against 1.
    """
    left = n - np.arange(n, dtype=np.float64)
    with np.errstate(divide="ignore"):  # log 0: more draws than failures, so a success is certain
        missed = np.cumsum(np.log1p(-np.minimum(c / left, 1.0)))
    curve: npt.NDArray[np.float64] = -np.expm1(missed) + 0.0  # adding 0 turns -0.0 into 0.0
    return curve
