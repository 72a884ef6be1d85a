"""All settings of the study of whether repairs last: which models, what is done to them, and how."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from unmirage.evaluate.lasting.relearning import RelearnConfig
from unmirage.testbed.methods_settings import MethodsSettings

FORGET, SAME_SYNTAX, BENIGN = "forget", "same-syntax", "benign"


class RelearnSettings(BaseModel):
    """One attack for all models. Only the seed changes between the runs of one study.

    Attributes:
        methods: how the models are made; their rows are those of `unmirage study methods`.
        models: the rows that are attacked.
        data: what they are fine-tuned on.
        samples: on how many; 0 is the model itself.
        relearning: how. The learning rate is that of the world's own post-hoc SFT.
        temperature: of the sampled answers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    methods: MethodsSettings = Field(default_factory=MethodsSettings)
    models: tuple[str, ...] = ("npo-mixed", "rmu-mixed", "sft-posthoc", "sft-mixed")
    data: tuple[str, ...] = (FORGET, SAME_SYNTAX, BENIGN)
    samples: tuple[int, ...] = (0, 8, 32, 128)
    relearning: RelearnConfig = RelearnConfig(learning_rate=3e-4, batch_size=16, steps=40)
    temperature: float = 1.0
