"""What the remedies change in a dataset, and how they reword a query so that its pictures keep their places."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from unmirage.audit.corpus import NONE, Bools, Corpus, Floats, Ints, Reader
from unmirage.data.places import Frame, frame, placed_in
from unmirage.data.written import Written
from unmirage.records import Placed, Sample
from unmirage.text.english.rewriter import rewrite
from unmirage.text.leads import past_formulas
from unmirage.text.openers import decapitalise, first_word

_WORDINGS = 4
# Returns wordings, best first, for each (query, opener).
Reword = Callable[[Sequence[tuple[str, str]]], Sequence[Sequence[str]]]


def by_rules(wanted: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return up to four wordings for each (query, opener), by rules for English."""
    return [rewrite(query, word, _WORDINGS) for query, word in wanted]


class Twin(NamedTuple):
    """A reworded query that is written beside the original.

    Attributes:
        of: the query of the other label whose opener it has.
        opener: that opener.
        text: its wording.
    """

    of: int
    opener: str
    text: str


@dataclass(frozen=True, slots=True)
class Queries:
    """The queries of a dataset, with what a remedy needs beside the corpus.

    Attributes:
        ids: the id of each query.
        placed: pictures inside the text of a query, by its number.
    """

    corpus: Corpus
    ids: Sequence[str]
    placed: Mapping[int, tuple[Placed, ...]]

    @classmethod
    def read(cls, samples: Iterable[Sample]) -> Queries:
        """Read the samples once."""
        ids: list[str] = []
        placed: dict[int, tuple[Placed, ...]] = {}

        def noted() -> Iterator[Sample]:
            for place, sample in enumerate(samples):
                ids.append(sample.id)
                if sample.images:
                    placed[place] = sample.images
                yield sample

        return cls(Reader().read(noted()), ids, placed)

    def frame(self, row: int) -> Frame:
        """Return the part of a query to reword, without role markers, shared prefix and labels of pictures."""
        query, start = self.corpus.queries[row], int(self.corpus.begin[row])
        parts = frame(query, self.placed.get(row, ()))
        end = len(query) - len(parts.foot)
        return Frame(query[:start], query[start:end], parts.foot) if len(parts.head) < start < end else parts

    def wordings(self, row: int, bodies: Iterable[str]) -> list[str]:
        """Return whole queries from new wordings of a query's frame; without those that lose the place of a picture."""
        parts = self.frame(row)
        lead = parts.head.rstrip()[-1:]
        # A wording that goes on after "Please" or "Hello," has no capital.
        goes_on = bool(parts.head) and (lead.isalnum() or lead == ",")
        texts = [parts.around(decapitalise(body) if goes_on else body) for body in bodies]
        images = self.placed.get(row, ())
        return [text for text in texts if placed_in(text, self.corpus.queries[row], images) is not None]


@dataclass(frozen=True, slots=True)
class Remedy:
    """The changes of a remedy to a dataset.

    Attributes:
        times: (n,) how often each query is written.
        reworded: new wordings of queries.
        unchanged_wording: queries selected for rewording, but without another known wording.
        lost_places: those whose wordings all lose the place of a picture.
        weights: (n,) the weight of each query; None without weights.
        capped: queries whose weight was limited.
        twins: reworded queries to add after a query.
        missing: twins that could not be made.
        notes: what the user should know.
    """

    times: Ints
    reworded: Mapping[int, str] = field(default_factory=dict)
    unchanged_wording: int = 0
    lost_places: int = 0
    weights: Floats | None = None
    capped: int = 0
    twins: Mapping[int, Sequence[Twin]] = field(default_factory=dict)
    missing: int = 0
    notes: tuple[str, ...] = ()

    @property
    def dropped(self) -> int:
        """Return the number of dropped queries."""
        return int((self.times == 0).sum())

    @property
    def repeated(self) -> int:
        """Return the number of repeats that are written beside the first copy of a query."""
        return int(np.maximum(self.times - 1, 0).sum())

    @property
    def changed(self) -> int:
        """Return the number of reworded queries."""
        return len(self.reworded)

    @property
    def added(self) -> int:
        """Return the number of twins."""
        return sum(map(len, self.twins.values()))

    def apply(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Yield the repaired dataset; `samples` are those of the corpus, in order."""
        return (row.sample for row in self.rows(map(Written, samples), ()))

    def rows(self, rows: Iterable[Written], ids: Sequence[str]) -> Iterator[Written]:
        """Yield the rows of the repaired dataset.

        Args:
            rows: those of the corpus, in order.
            ids: their ids, for the twins.
        """
        for place, row in enumerate(rows):
            own = row
            if place in self.reworded:
                own = row._replace(sample=_with_query(row.sample, self.reworded[place]))
            if self.weights is not None:
                own = own._replace(added={"weight": round(float(self.weights[place]), 6)})
            for _ in range(int(self.times[place])):
                yield own
            for twin in self.twins.get(place, ()):
                yield _twin(row, twin, ids[twin.of])


def _with_query(sample: Sample, text: str) -> Sample:
    images = placed_in(text, sample.query, sample.images)
    assert images is not None
    return replace(sample, query=text, images=images)


def _twin(row: Written, twin: Twin, of: str) -> Written:
    """Return a twin as a record of its own: "a~twin~b" is query a, reworded to open like b."""
    sample = row.sample
    stem = sample.record if sample.id.startswith(sample.record) else sample.id
    name = f"{stem}~twin~{of}"
    named = replace(_with_query(sample, twin.text), record=name, id=name + sample.id[len(stem) :])
    made_of = {"twin_of": of, "reworded_from": sample.id, "opener": twin.opener}
    return Written(named, row.others, {"provenance": made_of})


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Queries by opener.

    Attributes:
        number: (n,) the cell of each query.
        refused, answered: (cells,) queries of each cell.
        first: (cells,) the first query of each cell.
    """

    number: Ints
    refused: Ints
    answered: Ints
    first: Ints

    @classmethod
    def of(cls, keys: Ints, refused: Bools) -> Cells:
        """Count the queries with each key."""
        _, first, number = np.unique(keys, return_index=True, return_inverse=True)
        ones = np.bincount(number[refused], minlength=len(first))
        return cls(number, ones, np.bincount(number, minlength=len(first)) - ones, first)

    @property
    def both(self) -> Bools:
        """Return which cells have queries of both labels."""
        both: Bools = (self.refused > 0) & (self.answered > 0)
        return both

    def members(self, refused: Bools) -> list[tuple[Ints, Ints]]:
        """Return the (answered, refused) queries of each cell, in order."""
        keys = 2 * self.number + refused
        parts = np.split(np.argsort(keys, kind="stable"), np.cumsum(np.bincount(keys, minlength=2 * len(self.first))))
        return list(zip(parts[:-1:2], parts[1::2], strict=True))


def by_opener(corpus: Corpus) -> Cells:
    """Return the queries by their opener."""
    return Cells.of(corpus.word_at(0), corpus.refused)


def by_openers(corpus: Corpus) -> Cells:
    """Return the queries by their opener and by those behind formulas: "can you find" has the openers can and find.

    An audit passes over a formula that nearly all queries begin with. Which queries are kept must not change whether
    the openers are balanced.
    """
    keys: defaultdict[tuple[int | str, ...], int] = defaultdict(lambda: len(keys))
    numbers = [
        keys[(int(word), *(first_word(query, start) for start in past_formulas(query, begin)))]
        for query, word, begin in zip(corpus.queries, corpus.word_at(0).tolist(), corpus.begin.tolist(), strict=True)
    ]
    return Cells.of(np.array(numbers, dtype=np.int64), corpus.refused)


def opener_names(corpus: Corpus, cells: Cells) -> list[str]:
    """Return the opener of each cell."""
    return ["" if word == NONE else corpus.vocabulary[word] for word in corpus.word_at(0)[cells.first].tolist()]
