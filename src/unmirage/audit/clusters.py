"""Measure how clusters of queries, such as queries about one picture, inflate the variance of a feature's score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from unmirage.audit.corpus import Bools, Floats, Ints
from unmirage.audit.membership import Membership


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
        members: the features.
        refused: (n,) the labels.
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
