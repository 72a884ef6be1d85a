"""Measure what a feature predicts beyond the opener of its queries."""

from __future__ import annotations

import numpy as np

from unmirage.audit.association import mantel_haenszel
from unmirage.audit.corpus import Bools, Corpus, Ints, Ints32
from unmirage.records import Echo, LogOdds

# If this share of a feature's queries opens with the same word, the two can hardly be separated.
_COMES_WITH = 0.9


class Openers:
    """The openers of a corpus, and their numbers of refused and answered queries."""

    def __init__(self, corpus: Corpus) -> None:
        _, self._of = np.unique(corpus.word_at(0), return_inverse=True)
        self._corpus = corpus
        self._size = int(self._of.max()) + 1 if len(corpus) else 0
        self._all = self._counts(self._of, corpus.refused)

    def given(self, members: Ints32, told: Bools | None = None) -> LogOdds | None:
        """Return the association of a feature with refusal among queries with the same opener.

        Args:
            members: the queries with the feature.
            told: (n,) True for queries where the presence of the feature is known; None for all.
        """
        everything = self._all if told is None else self._counts(self._of[told], self._corpus.refused[told])
        having = self._counts(self._of[members], self._corpus.refused[members])
        return mantel_haenszel(having[0], having[1], everything[0], everything[1])

    def echo(self, members: Ints32, given: LogOdds | None) -> Echo | None:
        """Return the opener that nearly all of these queries share, if the feature adds nothing to it."""
        counts = np.bincount(self._of[members], minlength=self._size)
        opener = int(counts.argmax())
        if counts[opener] < _COMES_WITH * len(members) or (given is not None and given.direction != "none"):
            return None
        word = int(self._corpus.word_at(0)[members[self._of[members] == opener][0]])
        return Echo(feature=self._corpus.vocabulary[word], position="opener") if word >= 0 else None

    def _counts(self, openers: Ints, refused: Bools) -> tuple[Ints, Ints]:
        return (
            np.bincount(openers[refused], minlength=self._size),
            np.bincount(openers[~refused], minlength=self._size),
        )
