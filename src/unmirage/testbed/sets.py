"""Write the training files of each arm, from the world's safety and general data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from unmirage.audit.remedies import diversify
from unmirage.audit.rewording import Queries
from unmirage.data import load_samples, write_samples
from unmirage.data.split import balanced, forget, mixed, posthoc, retain
from unmirage.errors import UserError
from unmirage.records import Sample
from unmirage.run import new_folder
from unmirage.testbed.corpus import QUESTIONS
from unmirage.testbed.settings import MIXED
from unmirage.testbed.world import Split
from unmirage.text.openers import words

FORGET, RETAIN, PAIRS = "forget", "retain", "pairs"


def write_sets(data: Path, folder: Path, answers: Mapping[str, str], seed: int) -> None:
    """Write the forget set, and the retain set and every SFT set with and without general data, as JSONL files.

    Args:
        data: folder of `write_corpus`.
        answers: the harmful responses to forget, by sample id.
    """
    safety = load_samples(data / "safety.json").samples
    general = load_samples(data / "general.json").samples
    sft = {
        "sft-posthoc": posthoc(safety),
        "sft-balanced": balanced(safety, seed),
        "sft-diversified": diversified(safety, seed),
    }
    sets = {FORGET: forget(safety, answers), RETAIN: retain(safety, []), RETAIN + MIXED: retain(safety, general)}
    for name, samples in sft.items():
        sets |= {name: samples, with_general(name): mixed(samples, general)}
    with new_folder(folder) as new:
        for name, samples in sets.items():
            write_samples(samples, set_file(new, name))


def with_general(name: str) -> str:
    """Return the name of an SFT arm's counterpart with general data; the paper calls post-hoc SFT's "mixed"."""
    return "sft-mixed" if name == "sft-posthoc" else name + MIXED


def diversified(safety: Sequence[Sample], seed: int) -> list[Sample]:
    """Return the output of `unmirage audit --write-diversified`: both labels have the same distribution of openers."""
    return list(diversify(Queries.read(safety), seed).apply(safety))


def set_file(folder: Path, name: str) -> Path:
    """Return the path of one set."""
    return folder / f"{name}.jsonl"


def read_set(folder: Path, name: str, data: Path) -> tuple[Sample, ...]:
    """Read one set; its pictures are in `data`."""
    return load_samples(set_file(folder, name), images=data).samples


def read_pairs(folder: Path, data: Path) -> tuple[Sample, ...]:
    """Return the safety samples of the forget set as pairs: their safe answer is chosen, the harmful one rejected."""
    harmful = {sample.id: sample.answer for sample in read_set(folder, FORGET, data)}
    safety = load_samples(data / "safety.json").samples
    return tuple(replace(sample, rejected=harmful[sample.id]) for sample in safety if sample.id in harmful)


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
