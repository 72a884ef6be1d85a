"""Write the training files of each arm, from the world's safety and general data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from unmirage.audit.corpus import Reader
from unmirage.audit.remedies import diversify
from unmirage.data import load_samples, write_samples
from unmirage.data.split import balanced, forget, mixed, posthoc, retain
from unmirage.records import Sample
from unmirage.run import new_folder
from unmirage.testbed.settings import MIXED

FORGET, RETAIN = "forget", "retain"


def write_sets(data: Path, folder: Path, answers: Mapping[str, str], seed: int) -> None:
    """Write the forget set, and the retain set and every SFT set with and without general data, as JSONL files.

    Args:
        data: folder of `write_corpus`.
        folder: output folder of the sets.
        answers: the harmful responses to forget, by sample id.
        seed: seed of the draws for the balanced and diversified sets.
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
    return list(diversify(Reader().read(safety), seed).apply(safety))


def set_file(folder: Path, name: str) -> Path:
    """Return the path of one set."""
    return folder / f"{name}.jsonl"


def read_set(folder: Path, name: str, data: Path) -> tuple[Sample, ...]:
    """Read one set; its pictures are in `data`."""
    return load_samples(set_file(folder, name), images=data).samples
