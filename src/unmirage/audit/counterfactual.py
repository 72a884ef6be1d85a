"""Two probes that saw different parts of a query in, what the opener alone decides out.

The same query is scored by its opener and by its other words. Where the other words point to the wrong label
and the opener to the right one, the opener alone decides; and with another opener in its place, the same
query may be scored the other way round, which is what a one-word attack hopes for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import hstack

from unmirage.audit import matrices
from unmirage.audit.corpus import NONE, Ints
from unmirage.audit.probes import Evidence, Unseen
from unmirage.audit.rules import Linear
from unmirage.intervals import rate
from unmirage.records import Direction, Rate

EXAMPLES = 20
_LONGEST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenerVerdict:
    """One opener against the other words of the queries that have it.

    Attributes:
        opener: the word.
        verdict: what it is tied to.
        n: unseen queries that open with it.
        rest_disagrees: those whose other words point the other way.
        opener_right: those among these whose label is what the opener says.
        rest_score: mean probability of refusal by the other words.
    """

    opener: str
    verdict: Direction
    n: int
    rest_disagrees: int
    opener_right: int
    rest_score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedQuery:
    """A query whose label its opener alone gives away."""

    query: str
    opener: str
    refused: bool
    rest_score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The share of unseen queries whose label the opener alone decides, by opener, with examples."""

    share: Rate
    openers: tuple[OpenerVerdict, ...]
    examples: tuple[DecidedQuery, ...]


def decided_by_opener(evidence: Evidence, rest: Unseen, strong: dict[str, Direction]) -> Decided:
    """Return how often a strong opener gives the right label and the other words the wrong one.

    Args:
        evidence: what the probes looked at.
        rest: the verdicts of the probe that sees all words but the opener.
        strong: the openers that are tied to a label, the strongest first, and to which.
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
    share = rate(int(decided.sum()), len(word))
    return Decided(share=share, openers=tuple(verdicts), examples=_examples(evidence, rest, np.flatnonzero(decided)))


def _examples(evidence: Evidence, rest: Unseen, places: Ints) -> tuple[DecidedQuery, ...]:
    """Return the queries whose other words are furthest from the label."""
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


def flips(evidence: Evidence, words: Sequence[str], *, refused: bool) -> list[Rate]:
    """Return, for each word, the share of queries whose predicted label turns when they open with it instead.

    The prediction is that of a linear probe of opener and other words that did not learn from the query. It
    knows nothing but the text, so it tells what the data teach, not what a given model has learned.

    Args:
        evidence: what the probes looked at.
        words: openers, each in the corpus.
        refused: turn refused queries (into answered ones), or answered ones.
    """
    corpus = evidence.corpus
    opener = matrices.opener(corpus)
    matrix = hstack([opener, matrices.words_without_opener(corpus)], format="csr")
    place = {name: number for number, name in enumerate(corpus.vocabulary) if name in set(words)}
    first = corpus.word_at(0)
    turned, asked = np.zeros(len(words), dtype=np.int64), np.zeros(len(words), dtype=np.int64)
    for train, test in evidence.splits:
        fitted = Linear()
        fitted.fit(matrix[train], corpus.refused[train])
        concerned = test[corpus.refused[test] == refused]
        logit = fitted.logit(matrix[concerned])
        without = logit - fitted.weights[first[concerned] + 1]
        for index, word in enumerate(words):
            other = first[concerned] != place[word]
            swapped = without + fitted.weights[place[word] + 1]
            asked[index] += other.sum()
            turned[index] += (other & ((logit > 0) == refused) & ((swapped > 0) != refused)).sum()
    return [rate(int(k), int(n)) for k, n in zip(turned, asked, strict=True)]
