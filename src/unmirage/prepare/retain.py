"""Draw the retain set from safe samples of the dataset and general samples, with readable images only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from unmirage.data.images import Pictures
from unmirage.data.sample_file import SampleFile
from unmirage.data.split import drawn
from unmirage.errors import UserError
from unmirage.prepare.plan import Plan
from unmirage.records import Sample


@dataclass(slots=True)
class Readable:
    """Checks whether a sample's image is readable, and counts unreadable images.

    Attributes:
        pictures: images of the samples.
        count: number of unreadable images.
        first: error message of the first unreadable image.
    """

    pictures: Pictures
    count: int = 0
    first: str = ""

    def __call__(self, sample: Sample) -> bool:
        """Return whether the sample has no image or a readable one."""
        try:
            if sample.image is not None:
                self.pictures.open(sample.image)
        except UserError as error:
            self.first = self.first or f"sample '{sample.id[:80]}': {error}"
            self.count += 1
            return False
        return True


@dataclass(frozen=True, slots=True)
class Retained:
    """Samples of the retain set.

    Attributes:
        data: samples of the safety dataset.
        general: general samples.
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
        pictures: images of the safe samples.
        general: general samples; None for none.
        seed: random seed of the draws.
    """
    unreadable = Readable(pictures)
    size = len(plan.safe) if plan.retain_size is None else plan.retain_size
    kept = drawn(plan.safe, size, seed, unreadable)
    if general is None or len(kept) == size:
        return Retained(kept, unreadable=unreadable)
    passed_over = Readable(general.pictures)
    more = drawn(_answered(general), size - len(kept), seed, passed_over)
    return Retained(kept, more, unreadable, passed_over)


def _answered(file: SampleFile) -> Iterator[Sample]:
    return (sample for sample in file if not sample.refused and sample.answer.strip())
