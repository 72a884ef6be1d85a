"""Iterate over the samples of a file without keeping them in memory, and count unreadable records."""

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
    """The unreadable records of a file.

    Attributes:
        count: number of skipped records.
        examples: error messages of the first 20.
    """

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, error: UserError) -> None:
        """Count a record, and keep its error if it is among the first."""
        self.count += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(str(error))


@dataclass
class SampleFile:
    """An iterable of the samples of a file, which is read again by each iteration.

    Ids are those of the file and may repeat. The first unreadable record raises `UserError`; with `skip_bad`, only
    a file without any readable sample does.

    Attributes:
        data: the reader of the file.
        format: name of the format.
        image_root: folder that image paths are relative to; it need not exist.
        pictures: the images.
        samples_of: returns the samples of a row or raises `UserError`.
        skip_bad: skip unreadable records.
        progress: called with (done, total).
        skipped: the records skipped by the last iteration.
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
        """Location of the data, as given by the user."""
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
    """Return the error for a file without readable records."""
    if not skipped.count:
        return UserError(f"{path}: contains no records; valid: at least one record in JSON, JSONL, CSV or Parquet")
    return UserError(f"{path}: none of the {skipped.count:,} records can be read; the first: {skipped.examples[0]}")
