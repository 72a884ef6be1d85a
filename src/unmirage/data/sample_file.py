"""Iterate over the samples of a file without keeping them in memory, and count unreadable records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unmirage.data.fields import UnreadFields
from unmirage.data.images import Pictures
from unmirage.data.labels import STATE_LABEL, FieldCheck, Label, relabeled, why_unlabeled
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
        label: where labels come from, or the label of all samples; None for that of the format.
        unlabeled: also yield samples without a label.
        check_labels: stop if the label field contradicts most answers, unless `label` is given.
        skipped: the records skipped by the last iteration.
        without_label: the samples left out by the last iteration because they have no label.
        unread: fields that look as if they matter but are not read: counts of filled records by name.
    """

    data: Source
    format: str
    image_root: Path
    pictures: Pictures
    samples_of: Callable[[Row], Sequence[Sample]]
    skip_bad: bool = False
    progress: StepProgress | None = None
    label: Label | None = None
    unlabeled: bool = False
    check_labels: bool = False
    skipped: Skipped = field(default_factory=Skipped, init=False)
    without_label: Skipped = field(default_factory=Skipped, init=False)
    unread: Counter[str] = field(default_factory=Counter, init=False)

    @property
    def source(self) -> Path:
        """Location of the data, as given by the user."""
        return self.data.path

    def __iter__(self) -> Iterator[Sample]:
        return (sample for _, samples, _ in self._records() for sample in samples)

    def records(self) -> Iterator[tuple[Sequence[Sample], Mapping[str, object]]]:
        """Return an iterator over the samples of each record, with the fields of the record that they do not hold."""
        return ((samples, {name: row.fields[name] for name in unread}) for row, samples, unread in self._records())

    def rows(self) -> Iterator[tuple[Row, Sequence[Sample]]]:
        """Return an iterator over the records, each with its samples."""
        return ((row, samples) for row, samples, _ in self._records())

    def _records(self) -> Iterator[tuple[Row, Sequence[Sample], Collection[str]]]:
        self.skipped, self.without_label, self.unread = Skipped(), Skipped(), Counter()
        return self._read(UnreadFields(self.unread))

    def _read(self, fields: UnreadFields) -> Iterator[tuple[Row, Sequence[Sample], Collection[str]]]:
        """Yield each record with its samples and the names of the fields that they do not hold."""
        bad: Bad = self.skipped.add if self.skip_bad else strict
        check = FieldCheck() if self.check_labels and self.label is None else None
        empty = True
        for row in self.data.rows(bad, self.progress):
            watched = fields.watched(row)
            try:
                samples = self._labeled(row, self.samples_of(watched))
            except UserError as error:
                bad(error)
                continue
            empty = empty and not samples
            if check:
                check.add(samples)
                check.raise_if_wrong(self.source)
            yield row, samples, fields.of(watched)
        if check:
            check.raise_if_wrong(self.source, complete=True)
        if empty:
            raise nothing_left(self.source, self.skipped, self.without_label)

    def _labeled(self, row: Row, samples: Sequence[Sample]) -> Sequence[Sample]:
        if self.label is None and all(sample.refused is not None for sample in samples):
            return samples
        found = []
        for sample in samples:
            labeled = relabeled(sample, self.label, row)
            if labeled.refused is not None or self.unlabeled:
                found.append(labeled)
            elif labeled.answer or labeled.rejected:
                self.without_label.add(row.error(why_unlabeled(labeled)))
            else:
                raise row.error(f"has neither a label field nor an answer to take the label from; {STATE_LABEL}")
        return found


def nothing_left(path: Path, skipped: Skipped, without_label: Skipped | None = None) -> UserError:
    """Return the error for a file without readable records."""
    if without_label is not None and without_label.count:
        return UserError(f"{path}: none of the {without_label.count:,} samples has a label; {STATE_LABEL}")
    if not skipped.count:
        return UserError(f"{path}: contains no records; valid: at least one record in JSON, JSONL, CSV or Parquet")
    return UserError(f"{path}: none of the {skipped.count:,} records can be read; the first: {skipped.examples[0]}")
