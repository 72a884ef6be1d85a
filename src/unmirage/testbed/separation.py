"""Check that training and evaluation files of a study share no device and no question-answer pair."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from unmirage.data import load_samples
from unmirage.errors import UserError
from unmirage.records import Sample
from unmirage.testbed.corpus import QUESTIONS
from unmirage.testbed.sets import read_set
from unmirage.testbed.world import Split
from unmirage.text.openers import words

ALIGNMENT_FILES = ("safety", "general")
EVALUATION_FILES = tuple(QUESTIONS[Split.EVALUATION].values())
VALIDATION_FILES = tuple(QUESTIONS[Split.VALIDATION].values())


@dataclass(frozen=True, slots=True)
class Shown:
    """Content of some samples: the devices that they show or name, and their question-answer pairs."""

    devices: frozenset[str]
    pairs: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, samples: Iterable[Sample], known: Collection[str] = ()) -> Shown:
        """Collect it. A sample without an answer has no pair. Of the `known` devices, those in a text count."""
        listed = list(samples)
        named = {word for sample in listed for text in (sample.query, sample.answer) for word in words(text)}
        return cls(
            devices=frozenset(sample.group for sample in listed if sample.group) | (named & set(known)),
            pairs=frozenset((sample.query, sample.answer) for sample in listed if sample.answer),
        )

    def __and__(self, other: Shown) -> Shown:
        return Shown(self.devices & other.devices, self.pairs & other.pairs)


def shown_by_files(data: Path, sets: Path | None = None) -> dict[str, Shown]:
    """Return the content of each data file and, if `sets` is given, of each training set, by name."""
    names = (*ALIGNMENT_FILES, *VALIDATION_FILES, *EVALUATION_FILES)
    samples: dict[str, tuple[Sample, ...]] = {name: load_samples(data / f"{name}.json").samples for name in names}
    if sets is not None:
        samples |= {f"sets/{file.stem}": read_set(sets, file.stem, data) for file in sorted(sets.glob("*.jsonl"))}
    known = {sample.group for listed in samples.values() for sample in listed if sample.group}
    return {name: Shown.of(listed, known) for name, listed in samples.items()}


def shared(found: Mapping[str, Shown]) -> dict[tuple[str, str], Shown]:
    """Return the common content of files of two roles (alignment, validation, evaluation), by pair of files."""
    roles = [
        [name for name in found if name in ALIGNMENT_FILES or name.startswith("sets/")],
        list(VALIDATION_FILES),
        list(EVALUATION_FILES),
    ]
    overlaps = {}
    for place, one in enumerate(roles):
        for other in roles[place + 1 :]:
            for a in one:
                for b in other:
                    both = found[a] & found[b]
                    if both.devices or both.pairs:
                        overlaps[a, b] = both
    return overlaps


def check_separation(data: Path, sets: Path) -> None:
    """Raise `UserError` if alignment, validation and evaluation data share a device or a question-answer pair."""
    overlaps = shared(shown_by_files(data, sets))
    if overlaps:
        (a, b), both = next(iter(overlaps.items()))
        raise UserError(
            f"{data}: {a} and {b} share {len(both.devices)} devices and {len(both.pairs)} question-answer pairs, so "
            "rates would measure memorization; delete this run directory and run the command again"
        )
