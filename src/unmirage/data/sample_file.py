"""Rows in, samples out one by one, as often as asked; what cannot be read is set aside and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unmirage.data.images import Pictures
from unmirage.data.rows import Row
from unmirage.data.source import Bad, Source, strict
from unmirage.errors import UserError
from unmirage.records import Sample
from unmirage.run.progress import StepProgress

_EXAMPLES = 20


@dataclass(slots=True)
class Skipped:
    """The records that were set aside.

    Attributes:
        count: how many.
        examples: what is wrong with the first of them, a line each.
    """

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, error: UserError) -> None:
        """Count a record, and keep the reason if it is among the first."""
        self.count += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(str(error))


@dataclass
class SampleFile:
    """The samples of a file that is read anew each time they are asked for, and never held in memory.

    Ids are as in the file and may repeat. The first record that cannot be read is a `UserError`; with
    `skip_bad` only a file without any sample is one.

    Attributes:
        data: what is read.
        format: the name of its format.
        image_root: the folder that its picture paths are relative to; it need not exist.
        pictures: its pictures.
        samples_of: makes the samples of a row; all of them or, with a `UserError`, none.
        skip_bad: set records aside that cannot be read, and go on.
        progress: called now and then with how much was read, and how much there is.
        skipped: what the last reading set aside.
    """

    data: Source
    format: str
    image_root: Path
    pictures: Pictures
    samples_of: Callable[[Row], Sequence[Sample]]
    skip_bad: bool = False
    progress: StepProgress | None = None
    skipped: Skipped = field(default_factory=Skipped, init=False)

    @property
    def source(self) -> Path:
        """Where the data is, as the user wrote it."""
        return self.data.path

    def __iter__(self) -> Iterator[Sample]:
        self.skipped = Skipped()
        return self._samples(self.skipped)

    def _samples(self, skipped: Skipped) -> Iterator[Sample]:
        bad: Bad = skipped.add if self.skip_bad else strict
        empty = True
        for row in self.data.rows(bad, self.progress):
            try:
                samples = self.samples_of(row)
            except UserError as error:
                bad(error)
                continue
            empty = False
            yield from samples
        if empty:
            raise nothing_left(self.source, skipped)


def nothing_left(path: Path, skipped: Skipped) -> UserError:
    """Return the error for a file without records, or with none that can be read."""
    if not skipped.count:
        return UserError(f"{path}: holds no records; valid: at least one record in JSON, JSONL, CSV or Parquet")
    return UserError(f"{path}: none of the {skipped.count:,} records can be read; the first: {skipped.examples[0]}")
