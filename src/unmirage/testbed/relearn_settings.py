"""All settings of the study of whether repairs last: models, fine-tuning data, and training."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from unmirage.evaluate.lasting.relearning import RelearnConfig
from unmirage.testbed.methods_settings import MethodsSettings
from unmirage.testbed.settings import ARMS

FORGET, SAME_SYNTAX, BENIGN = "forget", "same-syntax", "benign"


class RelearnSettings(BaseModel):
    """One attack for all models. Only the seed changes between the runs of one study.

    Attributes:
        methods: settings of the models, whose rows are those of `unmirage study methods`.
        models: names of the attacked rows.
        data: names of the fine-tuning data.
        samples: numbers of fine-tuning samples; 0 is the model itself.
        relearning: settings of the fine-tuning.
        temperature: temperature of the sampled responses.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    methods: MethodsSettings = Field(default_factory=MethodsSettings)
    models: tuple[str, ...] = ("npo-mixed", "rmu-mixed", "sft-posthoc", "sft-mixed")
    data: tuple[str, ...] = (FORGET, SAME_SYNTAX, BENIGN)
    samples: tuple[int, ...] = (0, 8, 32, 128)
    relearning: RelearnConfig = RelearnConfig(learning_rate=ARMS["sft-posthoc"].learning_rate, batch_size=16, steps=40)
    temperature: float = 1.0
