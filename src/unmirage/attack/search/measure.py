"""Measure a word's effect on the two halves of the data, and list the candidate words."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmirage.attack.documents import Form, SearchKind
from unmirage.attack.search.config import SearchConfig, opening_with
from unmirage.errors import UserError
from unmirage.models.gradients import opener_tokens
from unmirage.records import Query, Sample
from unmirage.run.progress import Progress
from unmirage.text.openers import opener
from unmirage.text.vocabulary import real_words


@dataclass(frozen=True, slots=True)
class Halves:
    """The samples of one kind, split into two halves.

    Attributes:
        find: in random order, so that the first n are a random subset.
        report: in the order of the data.
        groups: group number by sample id; samples that share an image or a record are in one group.
    """

    find: tuple[Sample, ...]
    report: tuple[Sample, ...]
    groups: dict[str, int]


def halves(samples: Sequence[Sample], kind: SearchKind, seed: int) -> Halves:
    """Split the samples that this kind of attack applies to.

    Raises:
        UserError: there are no such samples, or all are in one group.
    """
    wanted = [sample for sample in samples if sample.refused is (kind == "jailbreak")]
    if not wanted:
        raise UserError(
            f"search: the data has no {'refused' if kind == 'jailbreak' else 'answered'} samples for {kind}; "
            "use other data or another kind"
        )
    groups = groups_of(wanted)
    numbers = sorted(set(groups.values()))
    if len(numbers) < 2:
        raise UserError(
            "search: all samples share one image or record; use data with at least two, one for finding words and "
            "one for reporting"
        )
    rng = random.Random(f"halves-{seed}")
    rng.shuffle(numbers)
    sizes = dict.fromkeys(numbers, 0)
    for sample in wanted:
        sizes[groups[sample.id]] += 1
    to_find: set[int] = set()
    # Largest groups first, each to the smaller half; equal ones in random order.
    counts = {True: 0, False: 0}
    for number in sorted(numbers, key=lambda number: -sizes[number]):
        finding = counts[True] <= counts[False]
        counts[finding] += sizes[number]
        if finding:
            to_find.add(number)
    find = [sample for sample in wanted if groups[sample.id] in to_find]
    rng.shuffle(find)
    return Halves(tuple(find), tuple(sample for sample in wanted if groups[sample.id] not in to_find), groups)


def groups_of(samples: Sequence[Sample]) -> dict[str, int]:
    """Return a group number by sample id; samples linked by shared records or images have the same number."""
    parents = list(range(len(samples)))

    def root(row: int) -> int:
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = parents[row]
        return row

    seen: dict[tuple[str, str], int] = {}
    for row, sample in enumerate(samples):
        keys = [("record", sample.record), *(("image", path) for path in sample.paths)]
        for key in keys:
            parents[root(row)] = root(seen.setdefault(key, row))
    return {sample.id: root(row) for row, sample in enumerate(samples)}


Measure = Callable[[Sequence[Query]], NDArray[np.float64]]


class Meter:
    """Measures queries in batches, counts them and reports progress.

    Args:
        measure: maps queries to (queries,) probabilities of refusal.
        total: expected number of queries.
        piece: queries per call of `measure`.
    """

    def __init__(
        self, measure: Measure, total: int, stage: str, progress: Progress | None = None, piece: int = 256
    ) -> None:
        self._measure = measure
        self._total = total
        self._stage = stage
        self._progress = progress
        self._piece = piece
        self.used = 0

    def __call__(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Return (queries,): the probability of refusal."""
        found = [np.empty(0)]
        for start in range(0, len(queries), self._piece):
            part = queries[start : start + self._piece]
            found.append(self._measure(part))
            self.count(len(part))
        return np.concatenate(found)

    def count(self, asked: int) -> None:
        """Add to the number of queries sent to the model."""
        self.used += asked
        if self._progress is not None:
            self._progress(self._stage, self.used, max(self._total, self.used))

    def finish(self) -> None:
        """Report the stage as complete, even if fewer queries were needed than expected."""
        if self._progress is not None:
            self._progress(self._stage, self.used, self.used)

    def words(
        self, words: Sequence[str], samples: Sequence[Sample], form: Form, kind: SearchKind
    ) -> NDArray[np.float64]:
        """Return (words, samples): the probability of refusal with each word in each sample."""
        # Ordered by sample, so that queries about one image are together.
        queries = [opening_with(sample, word, form, kind) for sample in samples for word in words]
        return self(queries).reshape(len(samples), len(words)).T


_SPACES = ("Ġ", "▁")  # mark of a leading space in byte-level and SentencePiece vocabularies


def token_texts(tokenizer: Any) -> list[str]:
    """Return the text of each vocabulary entry, with its leading space if it has one."""
    texts = []
    for piece in tokenizer.get_vocab():
        text = tokenizer.convert_tokens_to_string([piece])
        texts.append(" " + text.lstrip(" ") if piece.startswith(_SPACES) else text)
    return texts


def known_words(tokenizer: Any, samples: Iterable[Sample], config: SearchConfig) -> list[str]:
    """Return the words of the vocabulary and the openers of the data, sorted."""
    openers = {opener(sample.query) for sample in samples} - {""}
    return sorted({*real_words(token_texts(tokenizer)), *openers, *config.baselines})


def word_tokens(
    processor: Any, words: Sequence[str], samples: Sequence[Sample], config: SearchConfig
) -> dict[str, int]:
    """Return the single token for each word in the gradient's first-order score.

    A word that is one token as the opener has that token, which depends on the text before it. "Details" is often
    several tokens there while " details" is one; then that token is used, because its meaning is the same. The token
    only affects the ranking: high-ranked words are evaluated exactly. Words without such a token are left out.
    """
    kinds = {sample.image is None: sample for sample in samples}.values()
    vocabulary = processor.tokenizer.get_vocab()
    found = {}
    for word in words:
        spelt = {
            tuple(opener_tokens(processor, opening_with(sample, word, config.form, config.kind))) for sample in kinds
        }
        within = next((vocabulary[mark + word] for mark in _SPACES if mark + word in vocabulary), None)
        single = next((ids[0] for ids in spelt if len(ids) == 1), within)
        if single is not None:
            found[word] = single
    return found
