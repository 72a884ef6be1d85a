"""Samples in, how well shallow features predict refusal on unseen queries out.

Unseen means another file, where there is one; otherwise cross-validation in which the queries about one
picture stay together, since a safe and an unsafe query about the same picture are no independent evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold

from unmirage.audit.result import Accuracy
from unmirage.audit.rules import BagOfWords, ByFeature, Labels, Majority, Rule, presence
from unmirage.records import Sample
from unmirage.text.openers import opener, words

FOLDS = 5

# Each probe: the features that it sees of a query, and the rule that it learns from them.
PROBES: dict[str, tuple[Callable[[str], Iterable[str]], type[Rule]]] = {
    "majority": (lambda _: (), Majority),
    "opener": (lambda query: (opener(query),), ByFeature),
    "words": (words, BagOfWords),
    "words_without_opener": (lambda query: words(query)[1:], BagOfWords),
}

Indices = npt.NDArray[np.int64]
Split = tuple[Indices, Indices]


def predictability(samples: Sequence[Sample], test: Sequence[Sample], seed: int) -> dict[str, Accuracy]:
    """Return the accuracy of every probe.

    Args:
        samples: the queries to learn from.
        test: held-out queries; if there are none, `samples` are cross-validated.
        seed: decides which picture falls into which fold.
    """
    labels = np.array([sample.refused for sample in [*samples, *test]], dtype=np.bool_)
    splits = list(_held_out(len(samples), len(test)) if test else _folds(samples, labels, seed))
    queries = [sample.query for sample in [*samples, *test]]
    shares = {name: _accuracy(*probe, queries, labels, splits) for name, probe in PROBES.items()}
    baseline = shares["majority"][1]
    return {name: Accuracy(train=train, test=test, baseline=baseline) for name, (train, test) in shares.items()}


def _held_out(train: int, test: int) -> Iterator[Split]:
    yield np.arange(train), np.arange(train, train + test)


def _folds(samples: Sequence[Sample], labels: Labels, seed: int) -> Iterator[Split]:
    """Yield the folds; none where one class has a single query or all queries share one picture."""
    groups = np.array([sample.image or f"\0{index}" for index, sample in enumerate(samples)])
    folds = min(FOLDS, int(labels.sum()), int((~labels).sum()), len(np.unique(groups)))
    if folds >= 2:
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        yield from splitter.split(groups, labels, groups)


def _accuracy(
    features: Callable[[str], Iterable[str]],
    rule: type[Rule],
    queries: Sequence[str],
    labels: Labels,
    splits: Sequence[Split],
) -> tuple[float | None, float | None]:
    """Return (train, test) accuracy, pooled over the splits; (None, None) without any."""
    if not splits:
        return None, None
    matrix = presence([features(query) for query in queries])
    right = [_right(rule(), matrix, labels, split) for split in splits]
    train, test = (np.concatenate(part) for part in zip(*right, strict=True))
    return float(train.mean()), float(test.mean())


def _right(rule: Rule, matrix: Any, labels: Labels, split: Split) -> tuple[Labels, Labels]:
    """Return which queries of the train and of the test part the rule, learned on the former, gets right."""
    rule.fit(matrix[split[0]], labels[split[0]])
    train, test = (rule.predict(matrix[part]) == labels[part] for part in split)
    return train, test
