"""The guide to wordings: openers of answered and refused training queries, and weights of words for refusal.

An audit learns the guide from data and stores it in its document. The attack ranks wordings by it, without the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import exp

from unmirage.records import Count
from unmirage.text.leads import content_start
from unmirage.text.openers import words

_FREQUENT = 5  # queries of an opener
FORM_WORDS = 3  # words of a form: "what is the"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormCount:
    """Numbers of refused and answered queries that open with two or three words, copies included."""

    form: str
    refused: Count
    answered: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class WordingGuide:
    """Openers of several words and a classifier of refusal, both from training queries.

    Attributes:
        forms: the most frequent openers of two and of three words, the most frequent first.
        weights: change of the log odds of refusal by each feature of `features`; features of little weight are absent.
        intercept: log odds of refusal without any feature.
        n: number of different queries that the classifier was trained on; 0 if it was not trained.
    """

    forms: tuple[FormCount, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    intercept: float = 0.0
    n: Count = 0

    def leaning(self, text: str) -> str:
        """Return how most training queries with the opener of `text` were labeled: "answer", "refusal", or "unknown".

        The opener of three words decides if it is frequent, else that of two words.
        """
        counts = {one.form: one for one in self.forms}
        found = [counts[form] for form in reversed([*openers_of(text)]) if form in counts]
        known = next((one for one in found if one.refused + one.answered >= _FREQUENT), None)
        if known is None:
            return "unknown"
        return "answer" if known.answered > known.refused else "refusal"

    def refusal(self, text: str) -> float:
        """Return the predicted probability of refusal of a query, from 0 to 1."""
        logit = self.intercept + sum(self.weights.get(feature, 0.0) for feature in features(text))
        return 1 / (1 + exp(-max(-500.0, min(500.0, logit))))


def features(text: str) -> set[str]:
    """Return the features of a query: its words, its pairs of words, and its first one, two and three words.

    The first words are marked: "^what", "^what is", "^what is the".
    """
    found = words(text[content_start(text) :])
    opening = {f"^{' '.join(found[:size])}" for size in range(1, FORM_WORDS + 1) if len(found) >= size}
    return {*found, *map(" ".join, pairwise(found)), *opening}


def form_of(text: str) -> str:
    """Return the form of a query: its first three words, lower-cased; "" for a query without words.

    Role markers and numbering are passed over.
    """
    return " ".join(words(text[content_start(text) :][:400])[:FORM_WORDS])


def openers_of(text: str) -> Iterator[str]:
    """Yield the first two and the first three words of a query, as far as it has them."""
    found = words(text[content_start(text) :][:400])
    for size in (2, FORM_WORDS):
        if len(found) >= size:
            yield " ".join(found[:size])
