"""Safe samples of the data and general ones in; those that are to be kept out, each with a picture that can be read."""

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
    """Says whether a sample's picture can be read, and counts those that cannot.

    Attributes:
        count: how many could not.
        first: what is wrong with the first.
    """

    pictures: Pictures
    count: int = 0
    first: str = ""

    def __call__(self, sample: Sample) -> bool:
        """Return whether there is no picture, or one that can be opened."""
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
    """What is to be kept.

    Attributes:
        data: samples of the safety data.
        general: general ones.
        unreadable: the samples of the data whose picture cannot be read.
        passed_over: likewise of the general ones; others were drawn instead.
    """

    data: list[Sample]
    general: list[Sample] = field(default_factory=list)
    unreadable: Readable | None = None
    passed_over: Readable | None = None


def retained(plan: Plan, pictures: Pictures, general: SampleFile | None, seed: int) -> Retained:
    """Draw the retain set: the data's safe samples, topped up with general ones. Refused ones never enter it.

    Args:
        plan: the safe samples, and how many are to be kept.
        pictures: those of the safe samples.
        general: what to top up from; None for nothing.
        seed: of the draws.
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
