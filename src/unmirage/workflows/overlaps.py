"""Count samples that are in both training and test data, or in both the forget and the retain set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from unmirage.data.images import Pictures
from unmirage.data.overlap import Count, Fingerprints, PairOverlap, Way, fingerprints_of, overlaps
from unmirage.data.training_record import TrainingRecord, read_training_record
from unmirage.documents import Document
from unmirage.records import Kind, Query, Sample
from unmirage.run import Run


@dataclass(frozen=True, slots=True)
class Compared:
    """Named lists of samples, and their overlaps.

    Attributes:
        lists: hashes of each list.
        pairs: overlap of each pair of lists.
    """

    lists: Mapping[str, Fingerprints]
    pairs: tuple[PairOverlap, ...]

    @classmethod
    def of(cls, lists: Mapping[str, tuple[Sequence[Sample], Pictures]]) -> Compared:
        """Compare all lists that have samples."""
        prints = {name: fingerprints_of(samples, pictures) for name, (samples, pictures) in lists.items() if samples}
        return cls(prints, overlaps(prints))

    def lines(self) -> Iterator[str]:
        """Yield a line for each pair, and one for each list with unreadable pictures."""
        for pair in self.pairs:
            yield _pair(pair, self.lists)
            if (pair.first, pair.second) == ("forget", "retain") and pair.query_and_answer.first.shared:
                yield (
                    f"forget and retain: {_of(pair.query_and_answer.first)} rows of the forget set have a query and "
                    "answer of the retain set, on which the two losses oppose each other; remove them from one set"
                )
        yield from _unread(self.lists)

    def training_record(self, names: Iterable[str], base: str) -> TrainingRecord:
        """Return the training record of a model trained on these lists, with the base model `base`."""
        return TrainingRecord.of([self.lists[name] for name in names if name in self.lists], training_record_of(base))


def _pair(pair: PairOverlap, lists: Mapping[str, Fingerprints]) -> str:
    sizes = " and ".join(f"{name} ({len(lists[name]):,} samples)" for name in (pair.first, pair.second))
    shared = [f"same {way.text}: {_of(both.first)} and {_of(both.second)}" for way, both in pair.shared.items()]
    return f"{sizes} overlap: {'; '.join(shared)}" if shared else f"{sizes} have no picture, query or group in common"


def _of(count: Count) -> str:
    return f"{count.shared:,} of {count.total:,}"


def _unread(lists: Mapping[str, Fingerprints]) -> Iterator[str]:
    for name, prints in lists.items():
        if prints.unread:
            yield f"{name}: {prints.unread:,} pictures cannot be read and were compared by path"


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """Overlap of the test data of an attack with the training data of the model.

    Attributes:
        complete: True if the record has all hashes of the training data.
        unread_pictures: number of test pictures that cannot be read.
        parts: counts by part: the unchanged "unsafe" and "benign" samples, then the rewritten queries of each attack.
    """

    complete: bool
    unread_pictures: int
    parts: Mapping[str, Mapping[Way, Count]]

    @classmethod
    def by(
        cls, model: str, samples: Sequence[Sample], queries: Iterable[Query], pictures: Pictures
    ) -> TrainedOn | None:
        """Return the overlap with the training data of `model`; None if the model has no training record."""
        record = training_record_of(model)
        return None if record is None else cls.of(record, samples, queries, pictures)

    @classmethod
    def of(
        cls, record: TrainingRecord, samples: Sequence[Sample], queries: Iterable[Query], pictures: Pictures
    ) -> TrainedOn:
        """Count the test samples, and their rewritten queries, that are in the training data."""
        known = {sample.id: sample for sample in samples}
        lists: dict[str, list[Sample]] = {}
        for sample in samples:
            lists.setdefault("unsafe" if sample.refused else "benign", []).append(sample)
        for query in queries:
            if query.kind is not Kind.PLAIN:
                lists.setdefault(query.kind.value, []).append(replace(known[query.sample_id], query=query.text))
        prints = {name: fingerprints_of(own, pictures) for name, own in lists.items()}
        parts = {name: record.count(one) for name, one in prints.items()}
        unread = sum(prints[name].unread for name in ("unsafe", "benign") if name in prints)
        return cls(record.complete, unread, parts)

    def lines(self, data: str, model: str) -> Iterator[str]:
        """Yield a warning for each part of the test data that the model was trained on.

        The same query with another picture is a different sample, so it is reported without a warning.
        """
        for part, counts in self.parts.items():
            if part in ("unsafe", "benign"):
                shared = {way: count for way, count in counts.items() if count.shared}
                what = f"{part} samples"
            else:
                shared = {way: counts[way] for way in (Way.QUERY, Way.PICTURE_AND_QUERY) if counts[way].shared}
                what = f"rewritten queries ({part})"
            if set(shared) == {Way.QUERY}:
                yield (
                    f"{data}: {what}: {_of(shared[Way.QUERY])} have the same text as a query in the training data of "
                    f"{model}, but another picture or none"
                )
            elif shared:
                said = "; ".join(f"same {way.text}: {_of(count)}" for way, count in shared.items())
                yield (
                    f"{data}: {what} also occur in the training data of {model} ({said}). "
                    "Rates on them measure memorization, not generalization"
                )
        if self.unread_pictures:
            yield f"{data}: {self.unread_pictures:,} pictures cannot be read and were compared by path"
        if not self.complete:
            yield f"{model}: the record of its training data is partial; totals count only samples that can be checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOverlap(Document):
    """Overlap of a run's test data with the training data of each model, the document `unmirage.overlap/1`."""

    FILE: ClassVar[str] = "overlap.json"
    WRITER: ClassVar[str] = "unmirage attack MODEL DATA --out RUN"

    schema: Literal["unmirage.overlap/1"] = "unmirage.overlap/1"
    models: Mapping[str, TrainedOn]


def training_record_of(model: str) -> TrainingRecord | None:
    """Return the training record of the user's model; None for servers, hub ids and models without a record."""
    folder = Path(model)
    return read_training_record(folder) if folder.is_dir() else None


def add_overlap(run: Run, model: str, found: TrainedOn) -> None:
    """Write the counts of a model to the run's overlap.json and keep those of other models."""
    path = run.path / RunOverlap.FILE
    models = RunOverlap.load(path).models if path.is_file() else {}
    RunOverlap(models={**models, model: found}).save(path)
