"""Measure how well the opener alone separates refused from answered queries, in any mixture of the two.

The opener rule predicts "refused" for an opener whose share of refused queries is above that of all queries, else
"answered". So it follows the likelihood ratio of the opener, not the majority label. Informedness is its sensitivity
plus its specificity minus 1 (Youden 1950): 0 for a rule that knows nothing, 1 for one that is always right. Neither
informedness nor AUC changes when queries of one label are added that open like the others of that label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from math import sqrt

import numpy as np
from scipy.special import stdtrit

from unmirage.audit.corpus import Bools, Corpus, Floats, Ints
from unmirage.audit.matrices import FOLDS, joint, linked
from unmirage.audit.ranking import Auc, auc
from unmirage.data.sample import STEP, finalized
from unmirage.intervals import LEVEL, clustered_rate, widest
from unmirage.records import Count, Difference, Rate, Share

# An opener tells a label if its share of refused queries differs from that of all queries by this many standard errors.
# Others count as answered. Otherwise noise would count as a shortcut, and balanced openers would do worse than chance:
# a label that is frequent in the training folds is rare in the test fold. A ranking has more to lose, and ties more.
_CERTAIN, _UNTIED = 1.0, 1.96
_PRIOR = 2.0  # queries with the overall share of refused ones that smooth the score of an opener
_KINDS = 4
_BLOCKS = 30  # of groups, which the jackknife leaves out one at a time


class Shortcut(IntEnum):
    """How strong a shortcut is, from none to clear."""

    UNKNOWN = 0
    NONE = 1
    SOME = 2
    CLEAR = 3

    @property
    def said(self) -> str:
        """Return the verdict in words."""
        return ("not estimable", "no shortcut found", "some shortcut", "clear shortcut")[self]


SMALL = 0.05
LARGE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Informedness:
    """Sensitivity + specificity - 1 of the opener rule on unseen queries; None if not estimable.

    Attributes:
        low, high: 95 % confidence interval; queries that share a picture, a text or a record count as dependent.
        sensitivity: share of refused queries that the rule predicts as refused.
        specificity: share of answered queries that the rule predicts as answered.
        refused, answered: queries that are counted, copies included.
        undecided: those whose opener is unseen, or as likely with either label; the rule predicts "answered".
    """

    value: Difference | None = None
    low: Difference | None = None
    high: Difference | None = None
    sensitivity: Share | None = None
    specificity: Share | None = None
    refused: Count = 0
    answered: Count = 0
    undecided: Count = 0

    @property
    def verdict(self) -> Shortcut:
        """Return how strong the shortcut is.

        None: the interval reaches 0, or the value is at most `SMALL`. Clear: the value is above `LARGE`, and the
        interval above `SMALL`.
        """
        if self.value is None or self.low is None:
            return Shortcut.UNKNOWN
        if self.low <= 0 or self.value <= SMALL:
            return Shortcut.NONE
        return Shortcut.CLEAR if self.value > LARGE and self.low > SMALL else Shortcut.SOME


@dataclass(frozen=True, slots=True, eq=False)
class Openers:
    """What the openers tell of unseen queries.

    Attributes:
        contributions: the part of each opener in the informedness, by its number in the vocabulary; they add up to it.
    """

    informedness: Informedness
    auc: Auc
    contributions: dict[int, float]


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """Queries to train the opener rule on or to measure it on; arrays are (n,).

    Attributes:
        opener: number of the opener, negative for none.
        once: True for the queries to train on: each text once per label.
        groups: ways to group queries that depend on each other; see `joint`.
        keys: hash of the text, which determines the fold.
    """

    opener: Ints
    refused: Bools
    once: Bools
    groups: Sequence[Ints]
    keys: Ints

    @classmethod
    def of(cls, corpus: Corpus, pictures: Ints) -> Queries:
        """Return the queries of a corpus.

        Args:
            pictures: (n,) the picture group of each query.
        """
        texts = corpus.texts & ~1
        return cls(corpus.word_at(0), corpus.refused, corpus.once(), joint(pictures, texts), texts)


def measure_openers(train: Queries, test: Queries | None, seed: int) -> Openers:
    """Return informedness and AUC of the opener on unseen queries.

    All queries are used, however many there are. The folds depend on the texts and the seed, not on the order.

    Args:
        test: held-out queries; without them, `train` is cross-validated.
        seed: seed of the folds.
    """
    measured = train if test is None else test
    fold = dealt(train, seed) if test is None else np.zeros(len(test.refused), dtype=np.int64)
    if (fold < 0).any() or any(one.refused.all() or not one.refused.any() for one in (train, measured)):
        return Openers(Informedness(), Auc(), {})
    if test is None:
        tally = _Tally.of(train.opener, fold, train.refused, train.once)
    else:
        # Training queries are another fold, which is not measured.
        opener = np.concatenate([test.opener, train.opener])
        refused = np.concatenate([test.refused, train.refused])
        folds = np.append(fold, np.ones(len(train.refused), dtype=np.int64))
        tally = _Tally.of(opener, folds, refused, np.append(test.once, train.once))
    place = tally.place[: len(fold)]
    z, score = (table.ravel()[place] for table in tally.rule())
    decision, undecided = (z > _CERTAIN).astype(np.float64), int((np.abs(z) <= _CERTAIN).sum())
    spread = _spread(train, tally, seed) if test is None else 0.0
    found = widest(informedness(decision, measured.refused, groups, spread) for groups in measured.groups)
    return Openers(
        replace(found, undecided=undecided),
        widest(auc(score, measured.refused, groups, fold) for groups in measured.groups),
        _contributions(measured.opener, decision, measured.refused),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Tally:
    """Numbers of queries by opener and fold.

    Attributes:
        place: (n,) the cell of each query.
        kinds: (n,) 0 for an answered and 1 for a refused query to train on, 2 and 3 for their copies.
        counts: (kinds, openers, folds) queries.
    """

    place: Ints
    kinds: Ints
    counts: Floats

    @classmethod
    def of(cls, openers: Ints, fold: Ints, refused: Bools, once: Bools) -> _Tally:
        different, opener = np.unique(openers, return_inverse=True)
        shape = _KINDS, len(different), int(fold.max()) + 1
        place, kinds = opener * shape[2] + fold, refused + 2 * ~once
        return cls(place, kinds, _counts(place, kinds, shape))

    def without(self, queries: Bools) -> _Tally:
        """Return the numbers without some of the queries (n,)."""
        part = _counts(self.place[queries], self.kinds[queries], self.counts.shape)
        return _Tally(self.place, self.kinds, self.counts - part)

    def rule(self) -> tuple[Floats, Floats]:
        """Return z value and score of each cell, from the other folds: how its opener differs from all in refusal."""
        answered, refused = self.counts[0], self.counts[1]
        n = (answered + refused).sum(axis=1, keepdims=True) - answered - refused
        refused = refused.sum(axis=1, keepdims=True) - refused
        total = n.sum(axis=0)
        share = np.divide(refused.sum(axis=0), total, out=np.zeros(len(total)), where=total > 0)
        spread = np.sqrt(n * share * (1 - share))
        z = np.divide(refused - n * share, spread, out=np.zeros(n.shape), where=spread > 0)
        return z, np.where(np.abs(z) <= _UNTIED, share, (refused + _PRIOR * share) / (n + _PRIOR))

    def informedness(self) -> float | None:
        """Return the informedness of the rule; None without queries of both labels."""
        decision = self.rule()[0] > _CERTAIN
        answered, refused = self.counts[0] + self.counts[2], self.counts[1] + self.counts[3]
        if not refused.any() or not answered.any():
            return None
        return float((decision * refused).sum() / refused.sum() - (decision * answered).sum() / answered.sum())


def _counts(place: Ints, kinds: Ints, shape: tuple[int, ...]) -> Floats:
    cells = shape[1] * shape[2]
    return np.bincount(kinds * cells + place, minlength=_KINDS * cells).reshape(shape).astype(np.float64)


def _spread(queries: Queries, tally: _Tally, seed: int) -> float:
    """Return the standard error of the cross-validated informedness, with that of the rule; 0.0 if unknown.

    It is the jackknife over blocks of groups (Shao and Wu 1989): an opener near the limit of certainty decides or not.
    """
    groups = linked(queries.groups[0])
    first = _first(groups, finalized(queries.keys + finalized(np.array([seed + 1]))))
    block = np.empty(len(first), dtype=np.int64)
    block[np.argsort(first)] = np.arange(len(first)) % _BLOCKS
    of_query = block[groups]
    left = [tally.without(of_query == one).informedness() for one in range(min(_BLOCKS, len(first)))]
    found = [one for one in left if one is not None]
    return sqrt((len(found) - 1) * float(np.var(found))) if found else 0.0


def _first(groups: Ints, keys: Ints) -> Ints:
    """Return the least key of each group."""
    first = np.full(int(groups.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, groups, keys)
    return first


def dealt(queries: Queries, seed: int) -> Ints:
    """Return the fold of each query (n,): a group is in one fold, and folds are alike in labels; -1 without folds."""
    groups = linked(queries.groups[0])
    refused = np.bincount(groups, weights=queries.refused)
    answered = np.bincount(groups) - refused
    folds = min(FOLDS, int((refused > 0).sum()), int((answered > 0).sum()))
    if folds < 2:
        return np.full(len(groups), -1)
    first = _first(groups, finalized(queries.keys + finalized(np.array([seed + STEP]))))
    of_group = np.empty(len(refused), dtype=np.int64)
    of_group[np.lexsort((first, answered, refused))] = np.arange(len(refused)) % folds
    return of_group[groups]


def informedness(decision: Floats, refused: Bools, groups: Ints, spread: float = 0.0) -> Informedness:
    """Return the informedness of predictions.

    Its interval combines Wilson's of sensitivity and specificity, which do not degenerate at 0 or 1, and their
    correlation over the groups (MOVER; Zou and Donner 2008, Newcombe 1998, method 10). Those hold for a fixed rule; the
    interval is widened if the standard error with the rule's own is larger.

    Args:
        decision: (n,) 1 for "refused", 0 for "answered".
        refused: (n,) the labels, at least one of each.
        groups: (n,) the group of each query.
        spread: standard error of the informedness that includes that of the rule.
    """
    true = clustered_rate(decision[refused].tolist(), groups[refused])
    false = clustered_rate((1 - decision[~refused]).tolist(), groups[~refused])
    value, together = _known(true.value) + _known(false.value) - 1, _correlation(decision, refused, groups)
    down, up = zip(*(_margins(one) for one in (true, false)), strict=True)
    below, above = _combined(down, together), _combined(up, together)
    wider = max(1.0, float(stdtrit(_BLOCKS - 1, 0.5 + LEVEL / 2)) * spread / (0.5 * (below + above) or 1.0))
    return Informedness(
        value=value,
        low=max(-1.0, value - wider * below),
        high=min(1.0, value + wider * above),
        sensitivity=true.value,
        specificity=false.value,
        refused=int(refused.sum()),
        answered=int((~refused).sum()),
    )


def _known(value: float | None) -> float:
    assert value is not None
    return value


def _margins(rate: Rate) -> tuple[float, float]:
    return _known(rate.value) - _known(rate.low), _known(rate.high) - _known(rate.value)


def _combined(margins: tuple[float, float], correlation: float) -> float:
    first, second = margins
    return sqrt(max(0.0, first**2 + second**2 + 2 * correlation * first * second))


def _correlation(decision: Floats, refused: Bools, groups: Ints) -> float:
    """Return the correlation of sensitivity and specificity that groups with both labels cause."""
    _, number = np.unique(groups, return_inverse=True)
    true = np.bincount(number, weights=np.where(refused, decision - decision[refused].mean(), 0.0))
    false = np.bincount(number, weights=np.where(refused, 0.0, decision[~refused].mean() - decision))
    size = sqrt(float((true**2).sum()) * float((false**2).sum()))
    return float(np.clip((true * false).sum() / size, -1, 1)) if size > 0 else 0.0


def _contributions(opener: Ints, decision: Floats, refused: Bools) -> dict[int, float]:
    """Return the part of each opener: half of the difference of its shares among both labels, negative if wrong."""
    names, number = np.unique(opener, return_inverse=True)
    weight = np.where(refused, 1 / refused.sum(), -1 / (~refused).sum())
    parts = np.bincount(number, weights=(decision - 0.5) * weight)
    return dict(zip(names.tolist(), parts.tolist(), strict=True))
