"""The files that each alignment trains on, made from the world's safety and general data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from unmirage.data import load_samples, write_samples
from unmirage.data.split import balanced, forget, mixed, posthoc, retain
from unmirage.records import Sample
from unmirage.run import new_folder

FORGET, RETAIN = "forget", "retain"


def write_sets(data: Path, folder: Path, answers: Mapping[str, str], seed: int) -> None:
    """Write `forget`, `retain` and one training set for each SFT model as JSONL files.

    Args:
        data: folder of `write_corpus`.
        folder: where the sets go.
        answers: the harmful answers to forget, by sample id.
        seed: shuffles the openers of the balanced set.
    """
    safety = load_samples(data / "safety.json").samples
    general = load_samples(data / "general.json").samples
    sets = {
        FORGET: forget(safety, answers),
        RETAIN: retain(safety, general),
        "sft-posthoc": posthoc(safety),
        "sft-mixed": mixed(safety, general),
        "sft-balanced": balanced(safety, seed),
    }
    with new_folder(folder) as new:
        for name, samples in sets.items():
            write_samples(samples, set_file(new, name))


def set_file(folder: Path, name: str) -> Path:
    """Return the path of one set."""
    return folder / f"{name}.jsonl"


def read_set(folder: Path, name: str, data: Path) -> tuple[Sample, ...]:
    """Read one set back; its pictures lie in `data`."""
    return load_samples(set_file(folder, name), images=data).samples
