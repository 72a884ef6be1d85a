"""All settings of a study on the synthetic world, in one place. They are the same for every seed."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from unmirage.align.config import AlignConfig
from unmirage.align.methods import AnyMethodConfig, NpoConfig, RmuConfig, SftConfig
from unmirage.models.base import GenerationConfig
from unmirage.testbed.corpus import CorpusSize
from unmirage.testbed.vision import VisionConfig
from unmirage.testbed.world import WorldSettings

BASE = "base"
MIXED = "-mixed"  # ends the name of an arm that trains on the general data too
# What `unmirage demo` trains: the paper's two SFT models, and the remedies with the same general data.
DEMO_ARMS = ("sft-posthoc", "sft-mixed", "sft-balanced-mixed", "npo-mixed", "rmu-mixed")

_SFT_STEPS, _SFT_BATCH = 120, 32
_UNLEARNING_STEPS, _UNLEARNING_BATCH = 100, 16


def _sft(learning_rate: float) -> AlignConfig:
    return AlignConfig(
        method=SftConfig(), learning_rate=learning_rate, batch_size=_SFT_BATCH, steps=_SFT_STEPS, warmup=0.1
    )


def _unlearning(method: AnyMethodConfig, learning_rate: float) -> AlignConfig:
    return AlignConfig(
        method=method,
        learning_rate=learning_rate,
        batch_size=_UNLEARNING_BATCH,
        steps=_UNLEARNING_STEPS,
        warmup=0.1,
    )


_NPO = NpoConfig(beta=0.05, gamma=3)
_RMU = RmuConfig(layer=3, scale=20, alpha=2)

# Every method with and without the same general data. The learning rates are those that `unmirage study rates` chose
# on validation devices (benchmarks/results/rates.json).
ARMS: dict[str, AlignConfig] = {
    "sft-posthoc": _sft(0.0004),
    "sft-mixed": _sft(0.0008),
    "sft-balanced": _sft(0.0004),
    "sft-balanced-mixed": _sft(0.0016),
    "sft-diversified": _sft(0.0004),
    "sft-diversified-mixed": _sft(0.0016),
    "npo": _unlearning(_NPO, 0.0004),
    "npo-mixed": _unlearning(_NPO, 0.0004),
    "rmu": _unlearning(_RMU, 0.0004),
    "rmu-mixed": _unlearning(_RMU, 0.0008),
}


class StudySettings(BaseModel):
    """From pictures to aligned models. Only the seeds change between the runs of one study."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    world: WorldSettings = WorldSettings()
    corpus: CorpusSize = CorpusSize()
    vision: VisionConfig = VisionConfig()
    base: AlignConfig = AlignConfig(learning_rate=2e-3, batch_size=64, steps=950, warmup=0.1)
    shots: int = 3
    generation: GenerationConfig = GenerationConfig(max_new_tokens=16, batch_size=128)
    models: dict[str, AlignConfig] = {name: ARMS[name] for name in DEMO_ARMS}


def study_settings(arms: Sequence[str] = DEMO_ARMS, signal: float = 0.0) -> StudySettings:
    """Return the settings of a study of some arms, in a world with this signal."""
    return StudySettings(world=WorldSettings(signal=signal), models={name: ARMS[name] for name in arms})
