"""Measure how well shallow features predict refusal on unseen queries: the predictability ladder.

Unseen queries come from a test file if there is one. Otherwise the data are cross-validated, with all queries that
share a picture, a text or a record in the same fold, because they are not independent. If that would join most of the
data, copies are in the same fold, and a rule is not trained on queries about the pictures of its unseen queries. For
probes that see only the picture, only the queries about one picture are in the same fold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import hstack
from sklearn.model_selection import StratifiedGroupKFold

from unmirage.audit import matrices
from unmirage.audit.corpus import Bools, Corpus, Floats, Ints
from unmirage.audit.matrices import FOLDS, GroupedBy, grouped, joint
from unmirage.audit.pictures import Measured
from unmirage.audit.rules import ByFeature, Linear, Majority, Rule
from unmirage.intervals import clustered_rate, widest
from unmirage.records import Count, Rate, Share
from unmirage.run.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Accuracy of a probe that predicts refusal, as shares of queries; None if not estimable.

    Attributes:
        baseline: accuracy of the majority guess on the same unseen queries.
        low, high: 95 % confidence interval of `test`; queries of one group count as dependent.
    """

    train: Share | None
    test: Share | None
    baseline: Share | None
    low: Share | None = None
    high: Share | None = None
    n: Count = 0

    @property
    def gap(self) -> float | None:
        """Return the gain over the majority guess."""
        return None if self.test is None or self.baseline is None else self.test - self.baseline


# Probes are trained on a random sample of at most this many queries; counts and tests always use all.
MAX_QUERIES = 10_000

Split = tuple[Ints, Ints]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Data of the probes.

    Attributes:
        corpus: the training queries, followed by those of the test file, if there is one.
        measured: measurements of their pictures.
        groups: ways to group dependent queries, (n,) numbers each; see `joint`.
        pictures: (n,) group number of each query for probes that see only the picture.
        grouped_by: the criterion for equal pictures.
        splits: (train, test) places; empty if nothing can be held out.
        picture_splits: the same for probes that see only the picture.
    """

    corpus: Corpus
    measured: Measured
    groups: Sequence[Ints]
    pictures: Ints
    grouped_by: GroupedBy
    splits: Sequence[Split]
    picture_splits: Sequence[Split]

    def rate(self, successes: Bools, rows: Ints) -> Rate:
        """Return the share of successes among the queries at `rows`, with the widest interval of all groupings."""
        return widest(clustered_rate(successes, groups[rows]) for groups in self.groups)


@dataclass(frozen=True, slots=True, eq=False)
class Unseen:
    """A probe's scores on queries that it was not trained on.

    Attributes:
        rows: (m,) their places in the corpus.
        score: (m,) score of refusal, from 0 to 1.
        seen: accuracy on the training queries.
        baseline: accuracy of the majority guess on the same unseen queries.
    """

    rows: Ints
    score: Floats
    seen: float
    baseline: float


View = Callable[[Evidence], Any]

# Each rung: feature matrix and rule. None: the data lack the features.
PROBES: Mapping[str, tuple[View, type[Rule]]] = {
    "majority": (lambda e: matrices.nothing(e.corpus), Majority),
    "opener": (lambda e: matrices.opener(e.corpus), ByFeature),
    "first_words": (lambda e: matrices.first_words(e.corpus), Linear),
    "shape": (lambda e: matrices.shape(e.corpus), Linear),
    "template": (lambda e: matrices.template(e.corpus), ByFeature),
    "words_without_opener": (lambda e: matrices.words_without_opener(e.corpus), Linear),
    "words": (lambda e: matrices.words(e.corpus), Linear),
    "image": (lambda e: matrices.image(e.corpus, e.measured), Linear),
    "words_and_image": (
        lambda e: hstack([matrices.words(e.corpus), matrices.image(e.corpus, e.measured)], format="csr"),
        Linear,
    ),
    "image_embedding": (lambda e: matrices.embedding(e.corpus, _vectors(e), e.measured.read), Linear),
}


_OF_PICTURES = ("image", "image_embedding")  # probes that see only the picture


def gather(train: Corpus, test: Corpus | None, measured: Measured, seed: int) -> Evidence:
    """Return the data of the probes: a random sample of large data, split into training and unseen queries.

    Args:
        test: held-out queries; without them, `train` is cross-validated.
        measured: measurements of the pictures of `train`, followed by those of `test`.
        seed: seed of the sample and of the folds.
    """
    train = _drawn(train, seed)
    corpus = train if test is None else train.joined(_drawn(test, seed))
    pictures, by = grouped(corpus, measured)
    groups = joint(pictures, corpus.texts)
    if test is None:
        of_pictures = list(_folds(corpus.refused, pictures, seed))
        apart = (
            (train[~np.isin(pictures[train], pictures[test])], test)
            for train, test in _folds(corpus.refused, groups[0], seed)
        )
        splits = [(train, test) for train, test in apart if len(train)]
    else:
        splits = of_pictures = [(np.arange(len(train)), np.arange(len(train), len(corpus)))]
    return Evidence(corpus, measured, groups, pictures, by, splits, of_pictures)


def ladder(evidence: Evidence, unseen: Mapping[str, Unseen]) -> dict[str, Accuracy]:
    """Return the accuracy of every probe of `climb`; all None for a probe that could not be trained."""
    found = {}
    for name in PROBES:
        if name in unseen:
            found[name] = _accuracy(evidence, unseen[name], of_picture=name in _OF_PICTURES)
        elif name != "image_embedding" or evidence.measured.vectors is not None:
            found[name] = Accuracy(train=None, test=None, baseline=None, low=None, high=None, n=0)
    return found


def climb(evidence: Evidence, progress: Progress | None = None) -> dict[str, Unseen]:
    """Return each probe's scores on unseen queries; probes without data are left out."""
    found = {}
    for place, (name, (view, rule)) in enumerate(PROBES.items(), 1):
        told = _told(evidence, name)
        splits = evidence.picture_splits if name in _OF_PICTURES else evidence.splits
        if told.any() and splits:
            outcome = out_of_fold(rule, view(evidence), evidence.corpus.refused, splits, told)
            if outcome is not None:
                found[name] = outcome
        if progress:
            progress("probes", place, len(PROBES))
    return found


def out_of_fold(rule: type[Rule], matrix: Any, refused: Bools, splits: Sequence[Split], told: Bools) -> Unseen | None:
    """Return the scores of a rule that is trained for every split; None if no split can be evaluated."""
    rows, scores, seen, guessed = [], [], [], []
    for train, test in splits:
        train, test = train[told[train]], test[told[test]]
        if not len(train) or not len(test):
            continue
        fitted, labels = rule(), refused[train]
        fitted.fit(matrix[train], labels)
        rows.append(test)
        scores.append(fitted.score(matrix[test]))
        seen.append((fitted.score(matrix[train]) > 0.5) == labels)
        guessed.append((2 * labels.sum() >= len(labels)) == refused[test])
    if not rows:
        return None
    return Unseen(
        rows=np.concatenate(rows),
        score=np.concatenate(scores),
        seen=float(np.concatenate(seen).mean()),
        baseline=float(np.concatenate(guessed).mean()),
    )


def _told(evidence: Evidence, name: str) -> Bools:
    """Return which queries have the features of a probe."""
    picture = evidence.corpus.picture
    if name not in (*_OF_PICTURES, "words_and_image"):
        return np.ones(len(picture), dtype=np.bool_)
    if name == "image_embedding" and evidence.measured.vectors is None:
        return np.zeros(len(picture), dtype=np.bool_)
    return np.append(evidence.measured.read, False)[picture]  # a query without a picture has index -1


def _vectors(evidence: Evidence) -> Floats:
    assert evidence.measured.vectors is not None
    return evidence.measured.vectors


def _accuracy(evidence: Evidence, unseen: Unseen, *, of_picture: bool) -> Accuracy:
    right = (unseen.score > 0.5) == evidence.corpus.refused[unseen.rows]
    share = clustered_rate(right, evidence.pictures[unseen.rows]) if of_picture else evidence.rate(right, unseen.rows)
    return Accuracy(
        train=unseen.seen, test=share.value, baseline=unseen.baseline, low=share.low, high=share.high, n=share.n
    )


def _drawn(corpus: Corpus, seed: int) -> Corpus:
    if len(corpus) <= MAX_QUERIES:
        return corpus
    return corpus.take(np.sort(np.random.default_rng(seed).choice(len(corpus), MAX_QUERIES, replace=False)))


def _folds(labels: Bools, groups: Ints, seed: int) -> Iterator[Split]:
    """Yield the folds; none if one label has a single query, or a single group for all of its queries."""
    folds = min(FOLDS, *(len(np.unique(groups[of_label])) for of_label in (labels, ~labels)))
    if folds >= 2:
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        yield from splitter.split(groups, labels, groups)
