"""All settings of a study on the synthetic world, in one place. They are the same for every seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from unmirage.align.config import AlignConfig
from unmirage.align.methods import NpoConfig, RmuConfig, SftConfig
from unmirage.models.base import GenerationConfig
from unmirage.testbed.corpus import CorpusSize
from unmirage.testbed.vlm import VisionConfig
from unmirage.testbed.world import WorldSettings

BASE = "base"
MIXED = "-mixed"  # suffix of an arm that also trains on the general data
# The arms of `unmirage demo`: the paper's two SFT models, and the remedies with the same general data.
DEMO_ARMS = ("sft-posthoc", "sft-mixed", "sft-balanced-mixed", "npo-mixed", "rmu-mixed")

# A change to the settings of an arm: `learning_rate`, `steps`, or a setting of its method.
Change = Mapping[str, float]
_OF_ALIGNMENT = ("learning_rate", "steps")


def changed(config: AlignConfig, change: Change) -> AlignConfig:
    """Return the settings of an arm with a change."""
    own = {key: value for key, value in change.items() if key in _OF_ALIGNMENT}
    method = {key: value for key, value in change.items() if key not in _OF_ALIGNMENT}
    return config.model_copy(update={**own, "method": config.method.model_copy(update=method)})


_SFT = AlignConfig(method=SftConfig(), batch_size=32, steps=120, warmup=0.1)
_UNLEARNING = AlignConfig(batch_size=16, steps=100, warmup=0.1)
_NPO = _UNLEARNING.model_copy(update={"method": NpoConfig(beta=0.05, gamma=3)})
_RMU = _UNLEARNING.model_copy(update={"method": RmuConfig(layer=3, scale=20, alpha=2)})

# Start of the settings search: every method with and without the same general data.
STARTS: dict[str, AlignConfig] = {
    "sft-posthoc": _SFT,
    "sft-mixed": _SFT,
    "sft-balanced": _SFT,
    "sft-balanced-mixed": _SFT,
    "sft-diversified": _SFT,
    "sft-diversified-mixed": _SFT,
    "npo": _NPO,
    "npo-mixed": _NPO,
    "rmu": _RMU,
    "rmu-mixed": _RMU,
}
# Chosen by `unmirage study settings` on validation devices (benchmarks/results/settings.json).
CHOSEN: dict[str, Change] = {
    "sft-posthoc": {"learning_rate": 0.0004},
    "sft-mixed": {"learning_rate": 0.0008, "steps": 240},
    "sft-balanced": {"learning_rate": 0.0004, "steps": 240},
    "sft-balanced-mixed": {"learning_rate": 0.0016},
    "sft-diversified": {"learning_rate": 0.0004, "steps": 240},
    "sft-diversified-mixed": {"learning_rate": 0.0016},
    "npo": {"learning_rate": 0.0004, "beta": 0.3},
    "npo-mixed": {"learning_rate": 0.0004, "beta": 0.3},
    "rmu": {"learning_rate": 0.0004, "layer": 2},
    "rmu-mixed": {"learning_rate": 0.0008},
}
ARMS: dict[str, AlignConfig] = {name: changed(start, CHOSEN[name]) for name, start in STARTS.items()}


class StudySettings(BaseModel):
    """All settings, from pictures to aligned models. Only the seeds differ between the runs of one study."""

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
