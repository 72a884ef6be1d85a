"""Queries in, how well shallow features predict refusal on unseen ones out: the predictability ladder.

Unseen means another file, where there is one; otherwise cross-validation in which the queries about one
picture stay together, since a safe and an unsafe query about the same picture are no independent evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import hstack
from sklearn.model_selection import StratifiedGroupKFold

from unmirage.audit import matrices
from unmirage.audit.accuracy import Accuracy
from unmirage.audit.corpus import Bools, Corpus, Floats, Ints
from unmirage.audit.groups import FOLDS, GroupedBy, grouped
from unmirage.audit.pictures import Measured
from unmirage.audit.rules import ByFeature, Linear, Majority, Rule
from unmirage.intervals import clustered_rate

# Probes learn from a seeded draw of so many queries; counts and tests always use all.
MAX_QUERIES = 10_000

Split = tuple[Ints, Ints]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the probes may look at.

    Attributes:
        corpus: the queries to learn from, followed by those of the test file, if there is one.
        measured: their pictures, measured.
        splits: (train, test) places; empty where nothing can be held out.
        groups: (n,) queries of the same number stay together.
        grouped_by: what they have in common.
    """

    corpus: Corpus
    measured: Measured
    splits: Sequence[Split]
    groups: Ints
    grouped_by: GroupedBy


@dataclass(frozen=True, slots=True, eq=False)
class Unseen:
    """A probe's verdict on queries that it did not learn from.

    Attributes:
        rows: (m,) their places in the corpus.
        score: (m,) how much speaks for refusal, from 0 to 1.
        seen: its accuracy on what it did learn from.
        baseline: the accuracy of the majority guess on the same unseen queries.
    """

    rows: Ints
    score: Floats
    seen: float
    baseline: float


View = Callable[[Evidence], Any]

# Each rung: what the rule sees of a query, and the rule that it learns from it. None: cannot be told here.
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


def gather(train: Corpus, test: Corpus | None, measured: Measured, seed: int) -> Evidence:
    """Return what the probes look at: a seeded draw of large data, divided into what is learned from and what not.

    Args:
        train: the queries to learn from.
        test: held-out queries; without them, `train` is cross-validated.
        measured: the pictures of `train`, followed by those of `test`.
        seed: decides the draw, and which picture falls into which fold.
    """
    train = _drawn(train, seed)
    if test is None:
        groups, by = grouped(train, measured)
        return Evidence(train, measured, list(_folds(train.refused, groups, seed)), groups, by)
    corpus = train.joined(_drawn(test, seed))
    split = (np.arange(len(train)), np.arange(len(train), len(corpus)))
    return Evidence(corpus, measured, [split], *grouped(corpus, measured))


def ladder(evidence: Evidence, unseen: Mapping[str, Unseen]) -> dict[str, Accuracy]:
    """Return the accuracy of every probe of `climb`; None throughout for one that could not be tried."""
    found = {}
    for name in PROBES:
        if name in unseen:
            found[name] = _accuracy(evidence, unseen[name])
        elif name != "image_embedding" or evidence.measured.vectors is not None:
            found[name] = Accuracy(train=None, test=None, baseline=None, low=None, high=None, n=0)
    return found


def climb(evidence: Evidence, progress: Callable[[str, int, int], None] | None = None) -> dict[str, Unseen]:
    """Return each probe's verdicts on unseen queries; without those that have nothing to look at."""
    found = {}
    for place, (name, (view, rule)) in enumerate(PROBES.items(), 1):
        told = _told(evidence, name)
        if told.any() and evidence.splits:
            outcome = out_of_fold(rule, view(evidence), evidence, told)
            if outcome is not None:
                found[name] = outcome
        if progress:
            progress("probes", place, len(PROBES))
    return found


def out_of_fold(rule: type[Rule], matrix: Any, evidence: Evidence, told: Bools) -> Unseen | None:
    """Return the verdicts of a rule that is learned anew for every split; None where no split can be judged."""
    rows, scores, seen, guessed = [], [], [], []
    for train, test in evidence.splits:
        train, test = train[told[train]], test[told[test]]
        if not len(train) or not len(test):
            continue
        fitted, labels = rule(), evidence.corpus.refused[train]
        fitted.fit(matrix[train], labels)
        rows.append(test)
        scores.append(fitted.score(matrix[test]))
        seen.append((fitted.score(matrix[train]) > 0.5) == labels)
        guessed.append((2 * labels.sum() >= len(labels)) == evidence.corpus.refused[test])
    if not rows:
        return None
    return Unseen(
        rows=np.concatenate(rows),
        score=np.concatenate(scores),
        seen=float(np.concatenate(seen).mean()),
        baseline=float(np.concatenate(guessed).mean()),
    )


def _told(evidence: Evidence, name: str) -> Bools:
    """Return which queries have what a probe looks at."""
    picture = evidence.corpus.picture
    if name not in ("image", "words_and_image", "image_embedding"):
        return np.ones(len(picture), dtype=np.bool_)
    if name == "image_embedding" and evidence.measured.vectors is None:
        return np.zeros(len(picture), dtype=np.bool_)
    return np.append(evidence.measured.read, False)[picture]  # no picture is place -1


def _vectors(evidence: Evidence) -> Floats:
    assert evidence.measured.vectors is not None
    return evidence.measured.vectors


def _accuracy(evidence: Evidence, unseen: Unseen) -> Accuracy:
    right = (unseen.score > 0.5) == evidence.corpus.refused[unseen.rows]
    share = clustered_rate(right, evidence.groups[unseen.rows])
    return Accuracy(
        train=unseen.seen, test=share.value, baseline=unseen.baseline, low=share.low, high=share.high, n=share.n
    )


def _drawn(corpus: Corpus, seed: int) -> Corpus:
    if len(corpus) <= MAX_QUERIES:
        return corpus
    return corpus.take(np.sort(np.random.default_rng(seed).choice(len(corpus), MAX_QUERIES, replace=False)))


def _folds(labels: Bools, groups: Ints, seed: int) -> Iterator[Split]:
    """Yield the folds; none where one label has a single query, or a single picture for all of them."""
    folds = min(FOLDS, *(len(np.unique(groups[of_label])) for of_label in (labels, ~labels)))
    if folds >= 2:
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        yield from splitter.split(groups, labels, groups)
