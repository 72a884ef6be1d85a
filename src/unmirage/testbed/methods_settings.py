"""All settings of the comparison of methods. A row is a method with its data, its initial model and its training."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from unmirage.align.config import AlignConfig, LoraSettings
from unmirage.align.methods import (
    AdaptiveRmuConfig,
    AnyMethodConfig,
    DpoConfig,
    GaConfig,
    GradDiffConfig,
    KlMinConfig,
    SimNpoConfig,
    TaskVectorConfig,
)
from unmirage.audit.corpus import Reader
from unmirage.audit.remedies import balance
from unmirage.audit.rewording import by_opener
from unmirage.data import load_samples, write_samples
from unmirage.data.rows import with_unique_ids
from unmirage.data.sample import deal
from unmirage.records import Sample
from unmirage.run import new_folder
from unmirage.testbed.sets import FORGET, PAIRS, diversified, set_file
from unmirage.testbed.settings import ARMS, BASE, MIXED, STARTS, Change, StudySettings, changed
from unmirage.testbed.world import REFUSALS

Family = Literal["base", "sft", "regularised", "unlearning", "on top of SFT"]
SFT_SETS = ("posthoc", "mixed", "balanced", "balanced-mixed", "diversified", "diversified-mixed", "rationale")
MORE_SFT_SETS = ("augmented", "rebalanced")  # without adapters
LORA_RANKS = (4, 16)
# Factor of an adapter's learning rate: an adapter starts with no effect and needs larger steps. Same for all methods.
LORA_FASTER = 4.0

# "I don't know" answers that fit into the study's 16 new tokens.
IDK = ("I don't know.", "I'm not sure about that.", "I do not know the answer to that.")


def _other_starts() -> dict[str, AlignConfig]:
    """Return the unlearning methods that are not arms of the study, with steps and batch size of the NPO arm."""
    methods: dict[str, AnyMethodConfig] = {
        "ga": GaConfig(),
        "grad-diff": GradDiffConfig(),
        "kl-min": KlMinConfig(),
        "sim-npo": SimNpoConfig(),
        "adaptive-rmu": AdaptiveRmuConfig(layer=3, alpha=2),
        "dpo": DpoConfig(prefer_texts=IDK),
        "dpo-refusal": DpoConfig(prefer="refusal", prefer_texts=REFUSALS),
        "task-vector": TaskVectorConfig(),
    }
    start = STARTS["npo-mixed"]
    return {name + MIXED: start.model_copy(update={"method": method}) for name, method in methods.items()}


OTHER_STARTS = _other_starts()
# What `unmirage study settings --methods` chose on validation devices (benchmarks/results/settings_methods.json).
OTHER_CHOSEN: dict[str, Change] = {
    "ga-mixed": {"learning_rate": 8e-5},
    "grad-diff-mixed": {"learning_rate": 0.00032, "gamma": 3.0},
    "kl-min-mixed": {"learning_rate": 0.00016, "gamma": 3.0},
    "sim-npo-mixed": {"learning_rate": 0.0004},
    "adaptive-rmu-mixed": {"learning_rate": 0.0008, "scale": 1.25},
    "dpo-mixed": {"learning_rate": 0.0016, "gamma": 3.0},
    "dpo-refusal-mixed": {"learning_rate": 0.0008},
    "task-vector-mixed": {"learning_rate": 0.0008},
}
OTHER_METHODS = {name: changed(start, OTHER_CHOSEN[name]) for name, start in OTHER_STARTS.items()}
# Preference pairs have the settings chosen for the same loss with fixed refusals; no search was run for them.
PAIRS_CONFIG = OTHER_METHODS["dpo-refusal-mixed"].model_copy(update={"method": DpoConfig()})


class RowSettings(BaseModel):
    """One row of the table.

    Attributes:
        family: its group in the table.
        data: the training set of SFT; `forget` for unlearning, which uses forget and retain sets; `pairs` for
            preference pairs, with a retain set.
        general: True if the retain set includes the general data.
        start: the row of its initial model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: Family
    config: AlignConfig | None
    data: str = FORGET
    general: bool = False
    start: str = BASE


def _sft_rows(sets: Iterable[str]) -> dict[str, RowSettings]:
    """Return a row for each training set; sets that are not arms use the settings of post-hoc SFT."""
    return {
        f"sft-{name}": RowSettings(
            family="sft", config=ARMS.get(f"sft-{name}", ARMS["sft-posthoc"]), data=f"sft-{name}"
        )
        for name in sets
    }


def _regularised_rows() -> dict[str, RowSettings]:
    """Return post-hoc SFT with weight decay, with a lower learning rate, and with fewer steps."""
    plain = ARMS["sft-posthoc"]
    assert plain.steps is not None
    held_back: dict[str, dict[str, Any]] = {
        "decay": {"weight_decay": 0.1},
        "slow": {"learning_rate": plain.learning_rate / 3},
        "short": {"steps": plain.steps // 3},
    }
    return {
        f"sft-posthoc-{name}": RowSettings(
            family="regularised", config=plain.model_copy(update=change), data="sft-posthoc"
        )
        for name, change in held_back.items()
    }


def _unlearning_rows() -> dict[str, RowSettings]:
    """Return one row for each method, all with general data.

    NPO and RMU are the arms of that name; the others are `OTHER_METHODS`.
    """
    configs = {name + MIXED: ARMS[name + MIXED] for name in ("npo", "rmu")} | OTHER_METHODS
    order = ("ga", "grad-diff", "kl-min", "npo", "sim-npo", "rmu", "adaptive-rmu", "dpo", "dpo-refusal", "task-vector")
    return {
        name + MIXED: RowSettings(family="unlearning", config=configs[name + MIXED], general=True) for name in order
    }


def _with_adapters(rows: dict[str, RowSettings]) -> dict[str, RowSettings]:
    """Return each row followed by its variants with adapters, one per rank."""
    found: dict[str, RowSettings] = {}
    for name, row in rows.items():
        found[name] = row
        assert row.config is not None
        for rank in LORA_RANKS:
            adapted = row.config.model_copy(
                update={
                    "lora": LoraSettings(rank=rank, alpha=2 * rank),
                    "learning_rate": row.config.learning_rate * LORA_FASTER,
                }
            )
            found[f"{name}-lora-{rank}"] = row.model_copy(update={"config": adapted})
    return found


def all_rows() -> dict[str, RowSettings]:
    """Return every row in the order of the table."""
    without_general = {name: RowSettings(family="unlearning", config=ARMS[name]) for name in ("npo", "rmu")}
    on_top = {
        f"{name}-on-sft-posthoc": RowSettings(
            family="on top of SFT", config=ARMS[name + MIXED], general=True, start="sft-posthoc"
        )
        for name in ("npo", "rmu")
    }
    return {
        BASE: RowSettings(family="base", config=None),
        **_with_adapters(_sft_rows(SFT_SETS)),
        **_sft_rows(MORE_SFT_SETS),
        **_regularised_rows(),
        **_with_adapters(_unlearning_rows()),
        **without_general,
        "dpo-pairs": RowSettings(family="unlearning", config=PAIRS_CONFIG, data=PAIRS),
        "dpo-pairs" + MIXED: RowSettings(family="unlearning", config=PAIRS_CONFIG, data=PAIRS, general=True),
        **on_top,
    }


class MethodsSettings(BaseModel):
    """Settings of all rows, from pictures to training. Only the seed differs between the runs of one study."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    study: StudySettings = StudySettings(models={})
    questions: float = Field(default=0.5, gt=0, le=1, description="share of the samples to use, stratified by label")
    rows: dict[str, RowSettings] = Field(default_factory=all_rows)

    def with_signal(self, signal: float) -> MethodsSettings:
        """Return these settings for worlds with this signal."""
        world = self.study.world.model_copy(update={"signal": signal})
        return self.model_copy(update={"study": self.study.model_copy(update={"world": world})})


# Explanations instead of refusals, in words of the base model's corpus. They contain no refusal phrase.
RATIONALES = (
    "The recipe of this device is not safe to share.",
    "This recipe is kept private.",
    "What is in this device would not be safe.",
)
_COPIES = 3


def write_more_sets(data: Path, folder: Path, seed: int) -> None:
    """Write the sets as JSONL files."""
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
    """Return the data with queries dropped until all openers are refused equally.

    `unmirage audit --write-balanced` also tells "can you find" from "can you name"; it keeps fewer of these queries.
    """
    corpus = Reader().read(safety)
    return list(balance(corpus, seed, cells=by_opener(corpus)).apply(safety))


def rationalised(safety: Sequence[Sample], seed: int) -> list[Sample]:
    """Return the samples with each refusal replaced by an explanation."""
    refused = sum(bool(sample.refused) for sample in safety)
    dealt = iter(deal(dict.fromkeys(RATIONALES, 1), refused, random.Random(f"rationale-{seed}")))
    return [replace(sample, answer=next(dealt)) if sample.refused else sample for sample in safety]
