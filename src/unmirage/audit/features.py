"""Extract text features of a corpus: words by position, word sequences, shape. Templates: `matrices.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from unmirage.audit.corpus import NONE, Bools, Corpus, Ints
from unmirage.audit.membership import Membership, from_groups, from_masks, membership
from unmirage.records import FeatureKind, Position
from unmirage.text.english.inflection import VERBS
from unmirage.text.shape import SHAPES

# Indexed like a sequence: 1 is the word after the opener, -1 the last one.
PLACES = {
    1: "the second word",
    2: "the third word",
    -1: "the last word",
    -2: "the second-to-last word",
    -3: "the third-to-last word",
}
NGRAMS = (2, 3)
_LENGTH_QUANTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Family:
    """Features of one kind at one position.

    Attributes:
        position: position in the query, or the described side of the data.
        names: name of each feature, in the order of `members`.
        texts: completion of a sentence that starts with "Queries that", for each feature.
        members: the queries with each feature.
        told: (n,) True for queries where the presence of the features is known, and that count; None for all.
        counts: numbers of refused and of answered queries with each feature, copies included; None if `members` has
            all of them.
    """

    kind: FeatureKind
    position: Position
    names: Sequence[str]
    texts: Sequence[str]
    members: Membership
    told: Bools | None = None
    counts: tuple[Ints, Ints] | None = None

    def among(self, counted: Bools, refused: Bools, at_least: int) -> Family:
        """Return the features of at least `at_least` counted queries, with only those as members.

        Args:
            counted: (n,) True for the queries to count, such as one of several copies.
            refused: (n,) the labels.
        """
        if counted.all():
            return self
        members, all_refused = self.members.among(counted), self.members.refused(refused)
        places = np.flatnonzero(members.totals >= max(1, at_least))
        return replace(
            self,
            names=[self.names[place] for place in places.tolist()],
            texts=[self.texts[place] for place in places.tolist()],
            members=members.pick(places),
            told=counted if self.told is None else counted & self.told,
            counts=(all_refused[places], (self.members.totals - all_refused)[places]),
        )


def fewest_queries(n: int) -> int:
    """Return the minimum number of queries of a tested feature: 3, and in large data 1 of 20,000.

    Rarer features cannot be significant, and would make the adjustment stricter for all others.
    """
    return max(3, -(-n // 20_000))


def openers(corpus: Corpus, at_least: int = 1) -> Family:
    """Return the first words; a query without words has none."""
    return _words(corpus, "opener", from_groups(corpus.word_at(0), at_least), "open with “{}”")


def text_features(corpus: Corpus, at_least: int) -> Iterator[Family]:
    """Yield all text features of at least `at_least` queries, except openers and templates, by kind and position."""
    for place, name in PLACES.items():
        words = np.where(corpus.lengths > abs(place), corpus.word_at(place), NONE)  # without the opener itself
        yield _words(corpus, place, from_groups(words, at_least), f"have “{{}}” as {name}")
    anywhere = membership(corpus.tokens, corpus.rows(), len(corpus), at_least)
    yield _words(corpus, "any", anywhere, "contain the word “{}”")
    yield from _ngrams(corpus, at_least)
    yield shapes(corpus, at_least)


def _words(corpus: Corpus, position: Position, members: Membership, text: str) -> Family:
    names = [corpus.vocabulary[word] for word in members.features]
    texts = [text.format(name) for name in names]
    return Family(kind="word", position=position, names=names, texts=texts, members=members)


def _ngrams(corpus: Corpus, at_least: int) -> Iterator[Family]:
    """Yield the sequences of two and three words, extended word by word from frequent ones."""
    rows, tokens = corpus.rows(), corpus.tokens
    words = max(1, len(corpus.vocabulary))
    frequent = np.bincount(tokens, minlength=words) >= at_least
    at = np.flatnonzero(frequent[tokens]).astype(np.int32)  # start of each sequence so far
    sequence = tokens[at]
    for size in NGRAMS:
        last = at + np.int32(size - 1)
        goes_on = last < len(tokens)
        goes_on[goes_on] = rows[at[goes_on]] == rows[last[goes_on]]
        goes_on[goes_on] = frequent[tokens[last[goes_on]]]
        at, last, sequence = at[goes_on], last[goes_on], sequence[goes_on]
        order, starts = _grouped(sequence.astype(np.int64) * words + tokens[last], at_least)
        at = at[order]
        sequence = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))
        members = membership(sequence, rows[at], len(corpus), at_least)
        names = [_spelt(corpus, int(at[starts[place]]), size) for place in members.features]
        texts = [f"contain “{name}”" for name in names]
        yield Family(kind="ngram", position="any", names=names, texts=texts, members=members)


def _grouped(keys: Ints, at_least: int) -> tuple[Ints, Ints]:
    """Return an order that groups equal keys, without rare ones, and the start of each key in it."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, np.int64)
    sizes = np.diff(np.append(first, len(keys)))
    kept = np.repeat(sizes >= at_least, sizes)
    return order[kept], np.concatenate([[0], np.cumsum(sizes[sizes >= at_least])])


def _spelt(corpus: Corpus, start: int, size: int) -> str:
    return " ".join(corpus.vocabulary[word] for word in corpus.tokens[start : start + size])


def shapes(corpus: Corpus, at_least: int) -> Family:
    """Return the shape features of the queries: punctuation, capitals, length in words, mood."""
    masks = [(corpus.shapes >> bit) & 1 == 1 for bit in range(len(SHAPES))]
    names = [one.name for one in SHAPES]
    texts = [one.text for one in SHAPES]
    commands = np.array([word in VERBS or word == "please" for word in corpus.vocabulary], dtype=np.bool_)
    first = corpus.word_at(0)
    masks.append((first >= 0) & (commands[first] if len(commands) else False))
    names.append("imperative")
    texts.append("open with an English imperative")
    for name, mask in _bins(corpus.lengths, _count_of_words):
        masks.append(mask)
        names.append(name)
        texts.append(f"have {name}")
    members = from_masks(masks, len(corpus), at_least)
    return Family(
        kind="shape",
        position="shape",
        names=[names[place] for place in members.features],
        texts=[texts[place] for place in members.features],
        members=members,
    )


def _bins(values: Ints, name: Callable[[int, int], str]) -> Iterator[tuple[str, Bools]]:
    """Yield the quartiles of the queries by a number: name and members of each."""
    if not len(values):
        return
    inner = np.quantile(values, _LENGTH_QUANTILES, method="higher")
    edges = np.unique([int(values.min()), *inner.tolist(), int(values.max()) + 1])
    for low, high in pairwise(edges.tolist()):
        yield name(low, high - 1), (values >= low) & (values < high)


def _count_of_words(low: int, high: int) -> str:
    if low == high:
        return f"{low} word{'' if low == 1 else 's'}"
    return f"{low} to {high} words"
