"""Store the queries of a dataset as arrays, a few bytes per word.

A million queries fit in a few hundred MB, and all later steps count with arrays instead of strings.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import islice
from typing import Literal

import numpy as np
import numpy.typing as npt

from unmirage.audit.labels import LabelCheck
from unmirage.data.overlap import normalized
from unmirage.data.sample import STEP, finalized
from unmirage.records import Count, LabelSource, Sample, label_source_of
from unmirage.text.leads import Lead, content_starts
from unmirage.text.openers import words
from unmirage.text.shape import shape
from unmirage.text.thoughts import split_reasoning

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Ints32 = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

# The text of a sample to audit.
Part = Literal["query", "reasoning"]
NONE = -1  # number of a missing word or picture


class Index(defaultdict[str, int]):
    """Gives every new string the next number, from 0."""

    def __missing__(self, key: str) -> int:
        self[key] = number = len(self)
        return number


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """The queries of a dataset.

    Attributes:
        refused: (n,) True if a model should refuse the query.
        vocabulary: every word, by its number.
        tokens: (total words,) the words of all queries, concatenated.
        starts: (n + 1,) start of each query in `tokens`.
        shapes: (n,) result of `text.shape.shape` for each query.
        picture: (n,) number of the query's picture, or `NONE`.
        texts: (n,) hash of the query's normalized text, which copies share.
        records: (n,) number of the query's record, whose queries follow each other.
        label_sources: sources of the labels.
        labels: agreement of field and answer, for samples with both.
        begin: (n,) where the content of each query begins, in characters.
        leads: what stands before the content of queries: role markers, numbering, a prefix that many queries share.
            Words, shapes and texts are those of the content.
        without_text: samples that lack the audited text.
    """

    queries: Sequence[str]
    refused: Bools
    vocabulary: Sequence[str]
    tokens: Ints32
    starts: Ints
    shapes: Ints32
    pictures: Sequence[str]
    picture: Ints32
    texts: Ints
    records: Ints32
    label_sources: frozenset[LabelSource]
    labels: LabelCheck
    begin: Ints32
    leads: tuple[Lead, ...]
    without_text: int = 0

    def __post_init__(self) -> None:
        # Sparse matrices share these arrays, and some of their methods modify them in place.
        for values in (self.refused, self.tokens, self.starts, self.shapes, self.picture, self.texts, self.records):
            values.flags.writeable = False

    def __len__(self) -> int:
        return len(self.refused)

    @property
    def label_source(self) -> str:
        """Return "field", "answer" or "mixed"; "none" without queries."""
        return label_source_of(self.label_sources)

    @property
    def lengths(self) -> Ints:
        """Return the number of words of each query."""
        return np.diff(self.starts)

    def rows(self) -> Ints32:
        """Return the query that each token belongs to."""
        return np.repeat(np.arange(len(self), dtype=np.int32), self.lengths)

    def word_at(self, place: int) -> Ints:
        """Return the word at `place` of each query (negative from the end), `NONE` if the query is too short."""
        lengths = self.lengths
        has = lengths > place if place >= 0 else lengths >= -place
        at = (self.starts[:-1] if place >= 0 else self.starts[1:]) + place
        found = np.full(len(self), NONE, dtype=np.int64)
        found[has] = self.tokens[at[has]]
        return found

    def once(self, *, of_picture: bool = False) -> Bools:
        """Return which queries remain if copies count once: the first query (n,) of each text and label.

        A text with both labels is kept once with each.

        Args:
            of_picture: keep the first query of each text, label and picture instead.
        """
        keys = (self.texts & ~1) | self.refused
        if of_picture:
            keys = finalized(keys + finalized(self.picture.astype(np.int64) + STEP))
        first = np.zeros(len(self), dtype=np.bool_)
        first[np.unique(keys, return_index=True)[1]] = True
        return first

    def take(self, rows: Ints) -> Corpus:
        """Return the corpus of some of the queries; words and pictures keep their numbers."""
        lengths = self.lengths[rows]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
        return replace(
            self,
            queries=[self.queries[row] for row in rows],
            refused=self.refused[rows],
            tokens=self.tokens[np.repeat(self.starts[:-1][rows], lengths) + within],
            starts=starts,
            shapes=self.shapes[rows],
            picture=self.picture[rows],
            texts=self.texts[rows],
            records=self.records[rows],
            begin=self.begin[rows],
        )

    def joined(self, other: Corpus) -> Corpus:
        """Return this corpus followed by `other`, which must share its `Reader`."""
        assert self.vocabulary is other.vocabulary
        later = np.where(other.picture == NONE, NONE, other.picture + len(self.pictures)).astype(np.int32)
        return replace(
            self,
            queries=[*self.queries, *other.queries],
            refused=np.concatenate([self.refused, other.refused]),
            tokens=np.concatenate([self.tokens, other.tokens]),
            starts=np.concatenate([self.starts, self.starts[-1] + other.starts[1:]]),
            shapes=np.concatenate([self.shapes, other.shapes]),
            pictures=[*self.pictures, *other.pictures],
            picture=np.concatenate([self.picture, later]),
            texts=np.concatenate([self.texts, other.texts]),
            records=np.concatenate([self.records, self.records.max(initial=-1) + 1 + other.records]),
            begin=np.concatenate([self.begin, other.begin]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """Counts of copies: queries whose normalized text another query of the data has too.

    Attributes:
        queries: queries that have a copy.
        texts: distinct texts of all queries.
        both_labels: texts that occur both refused and answered.
    """

    queries: Count = 0
    texts: Count = 0
    both_labels: Count = 0


def count_copies(corpus: Corpus) -> Copies:
    """Return the counts of copies."""
    _, sizes = np.unique(corpus.texts, return_counts=True)
    kept = corpus.texts[corpus.once()]
    return Copies(
        queries=int(sizes[sizes > 1].sum()), texts=len(sizes), both_labels=len(kept) - len(np.unique(kept & ~1))
    )


def _hash(text: str) -> int:
    """Return a 64-bit hash of the normalized text."""
    content = normalized(text).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), signed=True)


class Reader:
    """Converts datasets to corpora with a common word numbering."""

    def __init__(self) -> None:
        self._words = Index()
        self._vocabulary: list[str] = []

    def read(self, samples: Iterable[Sample], part: Part = "query") -> Corpus:
        """Return the corpus of some samples.

        Args:
            samples: read once, in order.
            part: text of a sample to audit: its query, or the reasoning of its answer. Samples without one are counted.
        """
        paths = Index()
        number, place = self._words.__getitem__, paths.__getitem__
        queries: list[str] = []
        picture, records, refused = array("i"), array("i"), bytearray()
        record, record_number, without_text = None, NONE, 0
        sources: set[LabelSource] = set()
        labels = LabelCheck()
        for sample in samples:
            assert sample.refused is not None
            text = sample.query if part == "query" else split_reasoning(sample.answer)[0]
            if not text and part == "reasoning":
                without_text += 1
                continue
            labels.add(sample)
            sources.add(sample.label_source)
            refused.append(sample.refused)
            queries.append(text)
            picture.append(NONE if sample.image is None else place(sample.image))
            if sample.record != record:
                record, record_number = sample.record, record_number + 1
            records.append(record_number)
        begin, leads = content_starts(queries, refused)
        tokens, shapes, texts, starts = array("i"), array("i"), array("q"), array("q", [0])
        for query, start in zip(queries, begin, strict=True):
            content = query[start:] if start else query
            tokens.extend(map(number, words(content)))
            starts.append(len(tokens))
            shapes.append(shape(content))
            texts.append(_hash(content))
        self._vocabulary.extend(islice(self._words, len(self._vocabulary), None))
        return Corpus(
            queries=queries,
            refused=np.frombuffer(bytes(refused), dtype=np.bool_),
            vocabulary=self._vocabulary,
            tokens=np.array(tokens, dtype=np.int32),
            starts=np.array(starts, dtype=np.int64),
            shapes=np.array(shapes, dtype=np.int32),
            pictures=list(paths),
            picture=np.array(picture, dtype=np.int32),
            texts=np.array(texts, dtype=np.int64),
            records=np.array(records, dtype=np.int32),
            label_sources=frozenset(sources),
            labels=labels,
            begin=np.array(begin, dtype=np.int32),
            leads=leads,
            without_text=without_text,
        )
