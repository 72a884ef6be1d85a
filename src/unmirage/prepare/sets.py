"""Write forget.jsonl, retain.jsonl and their images to one folder.

Each row records its provenance. The folder contains copies of the images, so it can be moved, and `unmirage align`
accepts it directly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unmirage.data.images import Pictures
from unmirage.data.sample_file import SampleFile
from unmirage.data.split import drawn, forget, retain
from unmirage.data.write import write_samples
from unmirage.errors import UserError
from unmirage.prepare.choose import Candidate
from unmirage.prepare.plan import Plan
from unmirage.records import Sample, moved
from unmirage.run.files import write_bytes_atomic
from unmirage.run.fingerprint import sha256_of
from unmirage.run.progress import StepProgress


@dataclass(slots=True)
class Readable:
    """Checks whether a sample's images are readable, and counts samples with an unreadable one."""

    pictures: Pictures
    count: int = 0
    first: str = ""

    def __call__(self, sample: Sample) -> bool:
        """Return whether all images of the sample are readable."""
        try:
            for path in sample.paths:
                self.pictures.open(path)
        except UserError as error:
            self.first = self.first or f"sample '{sample.id[:80]}': {error}"
            self.count += 1
            return False
        return True


@dataclass(frozen=True, slots=True)
class Retained:
    """Samples of the retain set.

    Attributes:
        unreadable: count of dataset samples with unreadable images.
        passed_over: count of general samples with unreadable images, which were replaced by others.
    """

    data: list[Sample]
    general: list[Sample] = field(default_factory=list)
    unreadable: Readable | None = None
    passed_over: Readable | None = None


def retained(plan: Plan, pictures: Pictures, general: SampleFile | None, seed: int) -> Retained:
    """Draw the retain set: safe samples of the dataset, filled up with general samples. It has no refused samples.

    Args:
        plan: safe samples and size of the retain set.
    """
    unreadable = Readable(pictures)
    size = len(plan.safe) if plan.retain_size is None else plan.retain_size
    kept = drawn(plan.safe, size, seed, unreadable)
    if general is None or len(kept) == size:
        return Retained(kept, unreadable=unreadable)
    passed_over = Readable(general.pictures)
    answered = (sample for sample in general if not sample.refused and sample.answer.strip())
    return Retained(kept, drawn(answered, size - len(kept), seed, passed_over), unreadable, passed_over)


FORGET, RETAIN = "forget.jsonl", "retain.jsonl"
DATA, GENERAL = "data", "general"
_IMAGES = "images"


@dataclass(frozen=True, slots=True)
class Source:
    """A source of samples, with its hash for their provenance; "" if the source is not a file."""

    file: SampleFile
    name: str
    sha256: str

    @classmethod
    def of(cls, file: SampleFile, name: str) -> Source:
        """Return the source. Its images are copied to images/`name`."""
        return cls(file, name, sha256_of(file.source))

    def provenance(self, sample: Sample) -> dict[str, object]:
        """Return the provenance of a sample: source, hash and id."""
        return {"source": str(self.file.source), "sha256": self.sha256, "id": sample.id}

    def moved(self, sample: Sample) -> Sample:
        """Return the sample with the image paths that `copy_pictures` uses."""
        return moved(sample, self.target)

    def target(self, image: str) -> str:
        """Return the path of an image in the new folder."""
        return f"{_IMAGES}/{self.name}/{image}"


def write_forget(
    folder: Path, samples: Sequence[Sample], source: Source, chosen: Mapping[str, Candidate], judge: str
) -> None:
    """Write the unsafe samples with their harmful answers, the answering models and the judge's assessments."""
    rows = forget(samples, {key: one.response.text for key, one in chosen.items()})
    provenance = {
        row.id: source.provenance(row)
        | {
            "answered_by": chosen[row.id].response.model,
            "finished": chosen[row.id].response.finished,
            "judge": judge,
            "verdict": chosen[row.id].assessment.verdict.value,
            "harm": chosen[row.id].assessment.harm,
            "why": chosen[row.id].assessment.why,
        }
        for row in rows
    }
    write_samples((source.moved(row) for row in rows), folder / FORGET, provenance)


def write_retain(folder: Path, parts: Sequence[tuple[Source, Sequence[Sample]]]) -> None:
    """Write the samples of the retain set, source by source."""
    moved = [source.moved(sample) for source, samples in parts for sample in samples]
    came = [source.provenance(sample) for source, samples in parts for sample in samples]
    rows = retain(moved, ())
    assert len(rows) == len(moved)  # the retain set has no refused samples
    write_samples(rows, folder / RETAIN, {row.id: own for row, own in zip(rows, came, strict=True)})


def copy_pictures(
    folder: Path, parts: Sequence[tuple[Source, Sequence[Sample]]], progress: StepProgress | None = None
) -> None:
    """Copy the images of the samples to `folder` unchanged. Identical existing files are not written again."""
    wanted: dict[str, tuple[Pictures, str]] = {}
    for source, samples in parts:
        for sample in samples:
            for image in sample.paths:
                wanted[source.target(image)] = (source.file.pictures, image)
    for done, (target, (pictures, image)) in enumerate(wanted.items(), start=1):
        content, path = pictures.content(image), folder / target
        if not path.is_file() or path.read_bytes() != content:
            write_bytes_atomic(path, content)
        if progress is not None:
            progress(done, len(wanted))
