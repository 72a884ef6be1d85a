"""Find queries whose label only the opener predicts, by comparing two probes.

One probe scores the opener, the other all other words. If the other words predict the wrong label and the opener the
right one, the opener alone decides. With another opener, the prediction for the same query may flip. One-word
attacks exploit this.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy.sparse import hstack

from unmirage.audit import matrices
from unmirage.audit.corpus import NONE, Floats, Ints
from unmirage.audit.probes import Evidence, Unseen
from unmirage.audit.rules import Linear
from unmirage.intervals import rate
from unmirage.records import Count, Direction, Rate, Share, Unwritten

EXAMPLES = 20
_LONGEST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenerVerdict:
    """One opener, compared with the other words of its queries.

    Attributes:
        verdict: the label that it is associated with.
        n: unseen queries with this opener.
        rest_disagrees: those whose other words predict the opposite label.
        opener_right: those of `rest_disagrees` whose label the opener predicts.
        rest_score: mean probability of refusal by the other words.
    """

    opener: str
    verdict: Direction
    n: Count
    rest_disagrees: Count
    opener_right: Count
    rest_score: Share | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedQuery:
    """A query whose label only its opener predicts."""

    query: str
    opener: str
    refused: bool
    rest_score: Share | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidRate(Rate):
    """A rate without invalid trials."""

    invalid: Unwritten[int] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided(ValidRate):
    """The share of unseen queries whose label only the opener predicts, by opener, with examples."""

    openers: tuple[OpenerVerdict, ...] = ()
    examples: tuple[DecidedQuery, ...] = ()


def decided_by_opener(evidence: Evidence, rest: Unseen, strong: dict[str, Direction]) -> Decided:
    """Return how often a strong opener predicts the right label and the other words the wrong one.

    Args:
        rest: scores of the probe that sees all words but the opener.
        strong: openers associated with a label, the strongest first, with their label.
    """
    corpus = evidence.corpus
    word = corpus.word_at(0)[rest.rows]
    refused = corpus.refused[rest.rows]
    number = {name: place for place, name in enumerate(corpus.vocabulary) if name in strong}
    verdicts = []
    decided = np.zeros(len(word), dtype=np.bool_)
    for opener, direction in strong.items():
        has = word == number.get(opener, NONE - 1)
        if not has.any():
            continue
        says = direction == "refusal"
        disagrees = has & ((rest.score > 0.5) != says)
        decided |= disagrees & (refused == says)
        verdicts.append(
            OpenerVerdict(
                opener=opener,
                verdict=direction,
                n=int(has.sum()),
                rest_disagrees=int(disagrees.sum()),
                opener_right=int((disagrees & (refused == says)).sum()),
                rest_score=float(rest.score[has].mean()),
            )
        )
    share = evidence.rate(decided, rest.rows)
    examples = _examples(evidence, rest, np.flatnonzero(decided))
    return Decided(**asdict(share), openers=tuple(verdicts), examples=examples)


def _examples(evidence: Evidence, rest: Unseen, places: Ints) -> tuple[DecidedQuery, ...]:
    """Return the queries whose other words predict the wrong label most strongly."""
    corpus = evidence.corpus
    labels = corpus.refused[rest.rows[places]]
    distance = np.abs(labels - rest.score[places])
    chosen = places[np.argsort(-distance, kind="stable")[:EXAMPLES]]
    return tuple(
        DecidedQuery(
            query=corpus.queries[row][:_LONGEST],
            opener=corpus.vocabulary[corpus.word_at(0)[row]],
            refused=bool(corpus.refused[row]),
            rest_score=float(rest.score[place]),
        )
        for place, row in zip(chosen.tolist(), rest.rows[chosen].tolist(), strict=True)
    )


class Swaps:
    """Predict the label of a query if it opened with another word.

    The prediction is that of a linear probe of opener and other words that was not trained on the query. It uses only
    the text. So it shows what the data teach, not what a given model has learned.
    """

    def __init__(self, evidence: Evidence) -> None:
        corpus = evidence.corpus
        matrix = hstack([matrices.opener(corpus), matrices.words_without_opener(corpus)], format="csr")
        self._refused, self._first, self._evidence = corpus.refused, corpus.word_at(0), evidence
        self._number = {name: number for number, name in enumerate(corpus.vocabulary)}
        self._folds: list[tuple[Ints, Floats, Floats]] = []  # unseen queries, their log odds, weights by opener
        for train, test in evidence.splits:
            fitted = Linear()
            fitted.fit(matrix[train], corpus.refused[train])
            self._folds.append((test, fitted.logit(matrix[test]), fitted.weights[1 : len(corpus.vocabulary) + 1]))

    def flips(self, word: str, *, refused: bool) -> ValidRate:
        """Return the share of queries whose predicted label flips if they open with `word` instead.

        Args:
            word: an opener of the corpus.
            refused: True to flip refused queries to answered, False for the reverse. Queries that already open with the
                word are left out.
        """
        number = self._number[word]
        turned, places = [], []
        for rows, logit, weights in self._folds:
            first = self._first[rows]
            concerned = (self._refused[rows] == refused) & (first != number)
            own = np.where(first == NONE, 0.0, weights[first])
            swapped = logit - own + weights[number]
            turned.append((((logit > 0) == refused) & ((swapped > 0) != refused))[concerned])
            places.append(rows[concerned])
        found = self._evidence.rate(np.concatenate(turned), np.concatenate(places)) if turned else rate(0, 0)
        return ValidRate(**asdict(found))
