"""Measure the association of features with refusal, from counts. All statistics are vectorized over features.

Each feature has a 2x2 table: refused and answered queries, with and without it. Its log odds ratio uses the
correction of 0.5 per cell (Haldane 1956, Anscombe 1956). Its interval is Woolf's (1955), and its test is Fisher's
exact test. The p-values of all features are adjusted together (Benjamini and Hochberg 1995). Strata are pooled by
Mantel and Haenszel (1959), with the variance of Robins, Breslow and Greenland (1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln
from scipy.stats import false_discovery_control

from unmirage.audit.clusters import Clustered
from unmirage.records import LogOdds

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_Z = 1.959963984540054  # two-sided 95 %
# Outcomes as likely as the observed one count as extreme, even if rounding separates them.
_TIE = 1 + 1e-7


@dataclass(frozen=True, slots=True)
class Association:
    """Association of features with refusal; every array is (features,).

    Attributes:
        log_odds: log odds ratio of refusal, with versus without the feature.
        low, high: its 95 % confidence interval.
        p_value: two-sided Fisher exact test.
    """

    log_odds: Floats
    low: Floats
    high: Floats
    p_value: Floats


def associate(
    refused: Ints, answered: Ints, all_refused: int, all_answered: int, clusters: Clustered | None = None
) -> Association:
    """Return the association of each feature with refusal.

    Args:
        refused: (features,) refused queries with the feature.
        answered: (features,) answered queries with the feature.
        all_refused: number of refused queries.
        all_answered: number of answered queries.
        clusters: the cluster of each query, if queries depend on each other. They widen intervals; a p-value is then
            at least that of the clustered test.
    """
    cells = np.stack([refused, answered, all_refused - refused, all_answered - answered]) + 0.5
    with_refused, with_answered, without_refused, without_answered = np.log(cells)
    log_odds = with_refused - with_answered - without_refused + without_answered
    variance = (1 / cells).sum(axis=0)
    p_value = fisher_exact(refused, answered, all_refused, all_answered)
    if clusters is not None:
        variance = variance * clusters.design_effect
        p_value = np.where(clusters.design_effect > 1, np.maximum(p_value, clusters.p_value), p_value)
    margin = _Z * np.sqrt(variance)
    return Association(log_odds, log_odds - margin, log_odds + margin, p_value)


def mantel_haenszel(refused: Ints, answered: Ints, all_refused: Ints, all_answered: Ints) -> LogOdds | None:
    """Return the common log odds ratio of one feature over strata; None if no stratum is informative.

    A stratum is informative if it has queries of both labels, and queries with and without the feature. If all of them
    show perfect association in the same direction, 0.5 is added to their cells.

    Args:
        refused: (strata,) refused queries with the feature.
        answered: (strata,) answered queries with the feature.
        all_refused: (strata,) refused queries.
        all_answered: (strata,) answered queries.
    """
    cells = np.stack([refused, answered, all_refused - refused, all_answered - answered]).astype(np.float64)
    with_it, without = cells[0] + cells[1], cells[2] + cells[3]
    cells = cells[:, (all_refused > 0) & (all_answered > 0) & (with_it > 0) & (without > 0)]
    if not cells.shape[1]:
        return None
    if not (cells[0] * cells[3]).any() or not (cells[1] * cells[2]).any():
        cells = cells + 0.5
    a, b, c, d = cells
    n = cells.sum(axis=0)
    r, s, p, q = a * d / n, b * c / n, (a + d) / n, (b + c) / n
    log_odds = float(np.log(r.sum() / s.sum()))
    variance = (
        (p * r).sum() / (2 * r.sum() ** 2)
        + (p * s + q * r).sum() / (2 * r.sum() * s.sum())
        + (q * s).sum() / (2 * s.sum() ** 2)
    )
    margin = _Z * float(np.sqrt(variance))
    return LogOdds(log_odds=log_odds, low=log_odds - margin, high=log_odds + margin)


def fisher_exact(refused: Ints, answered: Ints, all_refused: int, all_answered: int) -> Floats:
    """Return two-sided p-values: the probability of all tables that are at most as likely as the observed one.

    Arguments as in `associate`. Features with the same number of queries share one null distribution.
    """
    p_values = np.ones(len(refused))
    totals = refused + answered
    log_factorial = gammaln(np.arange(all_refused + all_answered + 1) + 1.0)
    for total in np.unique(totals):
        same = totals == total
        fewest = max(0, total - all_answered)
        outcomes = np.arange(fewest, min(total, all_refused) + 1)
        likelihood = _hypergeometric(outcomes, total, all_refused, all_answered, log_factorial)
        p_values[same] = _no_likelier(likelihood, refused[same] - fewest)
    return p_values


def _hypergeometric(outcomes: Ints, total: int, all_refused: int, all_answered: int, log_factorial: Floats) -> Floats:
    """Return the probability that `outcomes` of the `total` queries with a feature are refused by chance.

    `scipy.stats.hypergeom` gives the same result, but takes a hundred microseconds per outcome.
    """

    def log_choose(n: int, k: Ints) -> Floats:
        return np.asarray(log_factorial[n] - log_factorial[k] - log_factorial[n - k])

    ways = log_choose(all_refused, outcomes) + log_choose(all_answered, total - outcomes)
    return np.exp(ways - log_choose(all_refused + all_answered, np.asarray(total)))


def _no_likelier(likelihood: Floats, observed: Ints) -> Floats:
    """Return, for each observed outcome, the probability of all outcomes that are at most as likely."""
    ascending = np.sort(likelihood)
    count = np.searchsorted(ascending, likelihood[observed] * _TIE, side="right")
    return np.minimum(np.cumsum(ascending)[count - 1], 1.0)


def adjust(p_values: Floats) -> Floats:
    """Return Benjamini-Hochberg q-values; `p_values` may be empty."""
    if not len(p_values):
        return p_values
    return np.asarray(false_discovery_control(p_values), dtype=np.float64)
