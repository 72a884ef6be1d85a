"""All settings of the demo's study, in one place. They are the same for every seed and printed in the report."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from unmirage.align.config import AlignConfig
from unmirage.align.methods import NpoConfig, RmuConfig, SftConfig
from unmirage.models.base import GenerationConfig
from unmirage.testbed.corpus import CorpusSize
from unmirage.testbed.vision import VisionConfig

BASE = "base"


class StudySettings(BaseModel):
    """From pictures to repaired models. Only `seed` changes between the runs of one study."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    corpus: CorpusSize = CorpusSize()
    vision: VisionConfig = VisionConfig()
    base: AlignConfig = AlignConfig(learning_rate=2e-3, batch_size=64, steps=700, warmup=0.1)
    shots: int = 3
    generation: GenerationConfig = GenerationConfig(max_new_tokens=16, batch_size=128)
    models: dict[str, AlignConfig] = {
        "sft-posthoc": AlignConfig(method=SftConfig(), learning_rate=3e-4, batch_size=48, steps=220, warmup=0.1),
        "sft-mixed": AlignConfig(method=SftConfig(), learning_rate=5e-4, batch_size=48, steps=240, warmup=0.1),
        "sft-balanced": AlignConfig(method=SftConfig(), learning_rate=3e-4, batch_size=48, steps=220, warmup=0.1),
        "npo": AlignConfig(
            method=NpoConfig(beta=0.05, gamma=3), learning_rate=8e-4, batch_size=24, steps=150, warmup=0.1
        ),
        "rmu": AlignConfig(
            method=RmuConfig(layer=3, scale=20, alpha=2), learning_rate=2.5e-3, batch_size=24, steps=150, warmup=0.1
        ),
    }
