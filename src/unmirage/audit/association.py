"""Measure the association of features with refusal, from counts. All statistics are vectorized over features.

Each feature has a 2x2 table: refused and answered queries, with and without it. Its log odds ratio uses the
correction of 0.5 per cell (Haldane 1956, Anscombe 1956). Its interval is Woolf's (1955), and its test is Fisher's
exact test. The p-values of all features are adjusted together (Benjamini and Hochberg 1995). Strata are pooled by
Mantel and Haenszel (1959), with the variance of Robins, Breslow and Greenland (1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln
from scipy.stats import false_discovery_control, norm

from unmirage.audit.corpus import Bools, Corpus, Floats, Ints, Ints32
from unmirage.audit.membership import Membership
from unmirage.records import LogOdds, OtherFeature


@dataclass(frozen=True, slots=True, eq=False)
class Clustered:
    """Effect of query clusters on the association of features with refusal; every array is (features,).

    Attributes:
        design_effect: variance inflation; 1 or more.
        p_value: two-sided score test with the inflated variance.
    """

    design_effect: Floats
    p_value: Floats


def clustered(members: Membership, refused: Bools, clusters: Ints, told: Bools) -> Clustered | None:
    """Return the effect of clusters on each feature; None if no two queries share a cluster.

    The score of a feature is the sum of (has it - share that has it) * (refused - share refused). Its variance is the
    sum of squares of its terms, either summed by cluster first (Liang and Zeger 1986) or not. The design effect is the
    ratio of the two. It is m for clusters of m queries that agree in feature and label.

    Args:
        clusters: (n,) cluster number of each query.
        told: (n,) True for queries where the presence of the features is known.
    """
    if not told.any() or np.bincount(clusters[told]).max() < 2:
        return None
    residual = np.where(told, refused - refused[told].mean(), 0.0)
    share = members.totals / told.sum()
    single = np.asarray(members.sums(residual**2), dtype=np.float64)
    usual = np.maximum(0.0, (1 - 2 * share) * single + share**2 * (residual**2).sum())
    sums = np.bincount(clusters, weights=residual).astype(np.float64)
    own, crossed = _by_cluster(members, residual, clusters, sums)
    robust = own - 2 * share * crossed + share**2 * (sums**2).sum()
    ratio = np.divide(robust, usual, out=np.ones(len(members)), where=usual > 0)
    effect = np.maximum(1.0, np.round(ratio, 9))  # prevents rounding errors from counting as inflation
    variance = effect * usual
    score = np.abs(np.asarray(members.sums(residual), dtype=np.float64))
    z = np.divide(score, np.sqrt(variance), out=np.zeros(len(members)), where=variance > 0)
    return Clustered(effect, 2 * norm.sf(z))


def _by_cluster(members: Membership, residual: Floats, clusters: Ints, sums: Floats) -> tuple[Floats, Floats]:
    """Return, for each feature, the sum over clusters of a^2 and of a * b.

    a is the sum of the residuals of the cluster's queries with the feature, b that of all its queries.
    """
    if not len(members):
        return np.zeros(0), np.zeros(0)
    feature = np.repeat(np.arange(len(members)), members.totals)
    cluster = clusters[members.members]
    order = np.lexsort((cluster, feature))
    feature, cluster = feature[order], cluster[order]
    first = np.flatnonzero(np.concatenate([[True], (feature[1:] != feature[:-1]) | (cluster[1:] != cluster[:-1])]))
    part = np.add.reduceat(residual[members.members][order], first)
    feature, others = feature[first], sums[cluster[first]]
    own = np.bincount(feature, weights=part**2, minlength=len(members)).astype(np.float64)
    return own, np.bincount(feature, weights=part * others, minlength=len(members)).astype(np.float64)


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


# If this share of a feature's queries opens with the same word, the two can hardly be separated.
_COMES_WITH = 0.9


class Openers:
    """The openers of a corpus, and their numbers of refused and answered queries."""

    def __init__(self, corpus: Corpus) -> None:
        _, self._of = np.unique(corpus.word_at(0), return_inverse=True)
        self._corpus = corpus
        self._size = int(self._of.max()) + 1 if len(corpus) else 0
        self._all: dict[int, tuple[Ints, Ints]] = {}  # by identity of `told`, which few features differ in

    def given(self, members: Ints32, told: Bools | None = None) -> LogOdds | None:
        """Return the association of a feature with refusal among queries with the same opener.

        Args:
            members: the queries with the feature.
            told: (n,) True for queries where the presence of the feature is known; None for all.
        """
        if id(told) not in self._all:
            counted = np.ones(len(self._of), dtype=np.bool_) if told is None else told
            self._all[id(told)] = self._counts(self._of[counted], self._corpus.refused[counted])
        everything = self._all[id(told)]
        having = self._counts(self._of[members], self._corpus.refused[members])
        return mantel_haenszel(having[0], having[1], everything[0], everything[1])

    def redundant_with(self, members: Ints32, given: LogOdds | None) -> OtherFeature | None:
        """Return the opener that nearly all of these queries share, if the feature adds nothing to it."""
        counts = np.bincount(self._of[members], minlength=self._size)
        opener = int(counts.argmax())
        if counts[opener] < _COMES_WITH * len(members) or (given is not None and given.direction != "none"):
            return None
        word = int(self._corpus.word_at(0)[members[self._of[members] == opener][0]])
        return OtherFeature(feature=self._corpus.vocabulary[word], position="opener") if word >= 0 else None

    def _counts(self, openers: Ints, refused: Bools) -> tuple[Ints, Ints]:
        return (
            np.bincount(openers[refused], minlength=self._size),
            np.bincount(openers[~refused], minlength=self._size),
        )
