"""All settings of one alignment run, with their defaults in one place."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from unmirage.align.methods import AnyMethodConfig, SftConfig

Part = Literal["language", "projector", "vision"]


class AlignConfig(BaseModel):
    """How to train. Defaults suit a 7B model fully fine-tuned, as in the paper's recipes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: AnyMethodConfig = SftConfig()
    learning_rate: float = Field(default=5e-7, gt=0)
    batch_size: int = Field(default=4, ge=1, description="rows of each stream in a step")
    steps: int | None = Field(default=None, ge=1, description="optimiser steps; default: `epochs` passes")
    epochs: float = Field(default=1.0, gt=0, description="passes over the forget set (SFT: over the training set)")
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = Field(default=0.03, ge=0, lt=1, description="share of the steps")
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    trainable: tuple[Part, ...] = Field(default=("language", "projector"), min_length=1)
    seed: int = 0
