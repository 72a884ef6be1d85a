"""Learn from data how wordings of a query change refusal: see `WordingGuide`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from unmirage.audit.corpus import Corpus
from unmirage.audit.rules import Linear
from unmirage.records import Sample
from unmirage.text.english.wordings.guide import FormCount, WordingGuide, features, openers_of

_MOST_FORMS = 200
_MOST_WEIGHTS = 1000
_MOST_QUERIES = 10_000  # different queries that the classifier is trained on
_FEWEST = 3  # queries of a feature


def guide_of(corpus: Corpus) -> WordingGuide:
    """Return the guide of an audited dataset, whose leads (role markers, shared prefixes) are passed over."""
    texts = [query[begin:] for query, begin in zip(corpus.queries, corpus.begin.tolist(), strict=True)]
    return learned(zip(texts, corpus.refused.tolist(), strict=True))


def guide_of_samples(samples: Iterable[Sample]) -> WordingGuide:
    """Return the guide of samples; those without a label are left out."""
    return learned((sample.query, sample.refused) for sample in samples if sample.refused is not None)


def learned(queries: Iterable[tuple[str, bool]]) -> WordingGuide:
    """Return the guide learned from labeled queries (True: refused).

    The classifier is a logistic regression with an L2 penalty on binary features. It is trained on each text and label
    once. Data with one label give no weights. Large data are thinned evenly.
    """
    found = list(queries)
    return replace(_classified(list(dict.fromkeys(found))), forms=_forms(found))


def _forms(queries: Sequence[tuple[str, bool]]) -> tuple[FormCount, ...]:
    counts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for text, refused in queries:
        counts[refused].update(openers_of(text))
    total = counts[True] + counts[False]
    chosen = sorted(total, key=lambda form: (-total[form], form))[:_MOST_FORMS]
    return tuple(FormCount(form=form, refused=counts[True][form], answered=counts[False][form]) for form in chosen)


def _classified(queries: Sequence[tuple[str, bool]]) -> WordingGuide:
    if len({refused for _, refused in queries}) < 2:
        return WordingGuide()
    step = -(-len(queries) // _MOST_QUERIES)
    drawn = queries[::step]
    rows = [features(text) for text, _ in drawn]
    labels = np.array([refused for _, refused in drawn], dtype=np.bool_)
    counts = Counter(feature for row in rows for feature in row)
    names = sorted(feature for feature, count in counts.items() if count >= _FEWEST)
    if not names or labels.all() or not labels.any():
        return WordingGuide()
    number = {name: place for place, name in enumerate(names)}
    places = [sorted(number[feature] for feature in row if feature in number) for row in rows]
    ends = np.cumsum([0, *map(len, places)])
    columns = np.array([place for row in places for place in row], dtype=np.int64)
    matrix = csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(rows), len(names)))
    rule = Linear()
    rule.fit(matrix, labels)
    strongest = sorted(range(len(names)), key=lambda place: (-abs(rule.weights[place]), names[place]))[:_MOST_WEIGHTS]
    weights = {names[place]: round(float(rule.weights[place]), 4) for place in strongest if rule.weights[place]}
    return WordingGuide(weights=weights, intercept=round(rule.intercept, 4), n=len(drawn))
