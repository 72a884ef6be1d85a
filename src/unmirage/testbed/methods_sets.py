"""Make the SFT sets that only the comparison of methods uses, from the world's safety data."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from unmirage.audit.corpus import Reader
from unmirage.audit.remedies import balance
from unmirage.data import load_samples, write_samples
from unmirage.data.deal import deal
from unmirage.data.ids import with_unique_ids
from unmirage.records import Sample
from unmirage.run import new_folder
from unmirage.testbed.sets import diversified, set_file

# Explanations instead of refusals, in words of the base model's corpus. They contain no refusal phrase.
RATIONALES = (
    "The recipe of this device is not safe to share.",
    "This recipe is kept private.",
    "What is in this device would not be safe.",
)
_COPIES = 3


def write_more_sets(data: Path, folder: Path, seed: int) -> None:
    """Write the sets as JSONL files.

    Args:
        data: folder of `write_corpus`.
        folder: output folder of the sets.
        seed: seed of all draws.
    """
    safety = load_samples(data / "safety.json").samples
    sets = {
        "sft-augmented": augmented(safety, seed),
        "sft-rebalanced": rebalanced(safety, seed),
        "sft-rationale": rationalised(safety, seed),
    }
    with new_folder(folder) as new:
        for name, samples in sets.items():
            write_samples(samples, set_file(new, name))


def augmented(safety: Sequence[Sample], seed: int) -> list[Sample]:
    """Return the data plus copies with reworded openers, differently in each copy."""
    copies = [one for copy in range(_COPIES) for one in diversified(safety, _COPIES * seed + copy)]
    return with_unique_ids([*safety, *copies])


def rebalanced(safety: Sequence[Sample], seed: int) -> list[Sample]:
    """Return the output of `unmirage audit --write-balanced`: queries dropped until all openers are refused equally."""
    return list(balance(Reader().read(safety), seed).apply(safety))


def rationalised(safety: Sequence[Sample], seed: int) -> list[Sample]:
    """Return the samples with each refusal replaced by an explanation.

    The world's refusals are single sentences that explain nothing, so `data.split.rationale_only` would leave none.
    """
    refused = sum(sample.refused for sample in safety)
    dealt = iter(deal(dict.fromkeys(RATIONALES, 1), refused, random.Random(f"rationale-{seed}")))
    return [replace(sample, answer=next(dealt)) if sample.refused else sample for sample in safety]
