"""Read preference pairs: queries with a chosen and a rejected answer.

A record has both answers, or one that the file calls good or bad (BeaverTails-V, KTO): records with the same query and
pictures then make pairs. Every record that makes none is counted.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from unmirage.data.rows import Row, with_unique_ids
from unmirage.data.sample_file import SampleFile
from unmirage.errors import UserError
from unmirage.records import Sample

log = logging.getLogger(__name__)
EQUAL, MISSING_IMAGE, UNREADABLE = "equal answers", "a missing image", "a missing answer or another error"


@dataclass
class _Bad:
    """The records that cannot be used: the first error, and their numbers by kind."""

    first: UserError | None = None
    kinds: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, error: UserError) -> None:
        self.first = self.first or error
        self.kinds[kind] = self.kinds.get(kind, 0) + 1


def read_pairs(file: SampleFile) -> list[Sample]:
    """Return the pairs of a file in order, with unique ids; the worse answer is `Sample.rejected`.

    Each bad answer of a query makes a pair with one of its good answers, in turn. A query with answers of one kind only
    makes none, and is counted in a warning.

    Raises:
        UserError: records cannot be read, have equal answers or a missing image (the message has the first of them, and
            their numbers), or the file has no pairs.
    """
    bad = _Bad()
    whole: list[Sample] = []
    alone: dict[Hashable, tuple[list[Sample], list[Sample]]] = {}
    records = 0
    for row, samples in _records(file, bad):
        records += 1
        for sample in samples:
            error = _problem(row, sample, file)
            if error is not None:
                bad.add(*error)
            elif sample.answer and sample.rejected:
                whole.append(sample)
            else:
                good, worse = alone.setdefault((sample.query, sample.paths, sample.images, sample.context), ([], []))
                (worse if sample.rejected else good).append(sample)
    if bad.first is not None:
        told = ", ".join(f"{count:,} with {kind}" for kind, count in bad.kinds.items())
        raise UserError(f"{bad.first} (unusable of {records + bad.kinds.get(UNREADABLE, 0):,} records: {told})")
    made = [pair for good, worse in alone.values() for pair in _joined(good, worse)]
    if contradiction := next((one for one in made if one.answer.strip() == one.rejected.strip()), None):
        raise UserError(
            f"{file.source}: records {contradiction.id} call the same answer to the same query good and bad; remove one"
        )
    left_out = sum(len(good) + len(worse) for good, worse in alone.values() if not good or not worse)
    if not whole and not made:
        raise UserError(
            f"{file.source}: none of its {records:,} records makes a pair; valid: records with the fields 'chosen' and "
            "'rejected', or a good and a bad answer to the same query"
        )
    if left_out:
        log.warning(
            "%s: answers left out because the file has no better or worse answer to the same query: %d; pairs: %d",
            file.source, left_out, len(whole) + len(made),
        )  # fmt: skip
    return with_unique_ids([*whole, *made])


def _records(file: SampleFile, bad: _Bad) -> Iterator[tuple[Row, list[Sample]]]:
    """Yield each record with its samples, and count unreadable ones."""
    strict, file.skip_bad = file.skip_bad, True
    try:
        for row, samples in file.rows():
            yield row, list(samples)
    finally:
        file.skip_bad = strict
    if file.skipped.count and not strict:
        bad.kinds[UNREADABLE] = file.skipped.count
        bad.first = bad.first or UserError(file.skipped.examples[0])


def _problem(row: Row, sample: Sample, file: SampleFile) -> tuple[str, UserError] | None:
    if sample.answer and sample.answer.strip() == sample.rejected.strip():
        return EQUAL, row.error("the chosen and the rejected answer are equal; remove the record")
    missing = next((path for path in sample.paths if not file.pictures.exists(path)), None)
    if missing is not None:
        problem = f"image '{missing}' is missing; add it, or name the folder of the images with --images"
        return MISSING_IMAGE, row.error(problem)
    return None


def _joined(good: list[Sample], worse: list[Sample]) -> Iterator[Sample]:
    for number, sample in enumerate(worse if good else ()):
        chosen = good[number % len(good)]
        yield replace(chosen, id=f"{chosen.record}/{sample.record}", rejected=sample.rejected)


def contradictions(pairs: Sequence[Sample]) -> int:
    """Return the number of pairs whose query and images come with the same answers the other way round."""
    about = [(one.query, one.paths, one.context) for one in pairs]
    known = {(what, one.answer, one.rejected) for what, one in zip(about, pairs, strict=True)}
    return sum((what, one.rejected, one.answer) in known for what, one in zip(about, pairs, strict=True))
