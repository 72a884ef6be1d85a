"""All settings of one alignment run, with their defaults in one place."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from unmirage.align.methods import AnyMethodConfig, SftConfig

PARTS = ("language", "projector", "vision")
_DOWN = re.compile(r"down_proj:(\d+)(?:-(\d+))?")


def down_layers(part: str) -> list[int]:
    """Return the 1-based layers that "down_proj:5-7" or "down_proj:5" names; empty for another part."""
    found = _DOWN.fullmatch(part)
    if found is None:
        return []
    first = int(found[1])
    return list(range(first, int(found[2] or first) + 1))


def _known_part(part: str) -> str:
    if part in PARTS or min(down_layers(part), default=0) > 0:
        return part
    raise ValueError(f"'{part}' is no part; valid: {', '.join(PARTS)}, down_proj:5 or down_proj:5-7 (1-based layers)")


def _some(parts: tuple[str, ...]) -> tuple[str, ...]:
    if not parts:
        raise ValueError(f"nothing would train; valid: {', '.join(PARTS)}, down_proj:5 or down_proj:5-7")
    return parts


Part = Annotated[str, AfterValidator(_known_part)]


class LoraSettings(BaseModel):
    """Low-rank adapters (Hu et al., arXiv 2106.09685) on all linear modules of the trainable parts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(default=128, ge=1)
    alpha: float = Field(default=256.0, gt=0, description="the update is scaled by alpha / rank")
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="more than 0 sets the model apart from the reference from the start"
    )


class Savings(BaseModel):
    """Ways to do less work for the same loss. Each can be switched off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cache_reference: bool = Field(default=True, description="ask the reference once, and keep what it said")
    adapter_off: bool = Field(default=True, description="LoRA: the reference is the model without its adapter")
    stop_early: bool = Field(default=True, description="end the forward where nothing after it is used")
    answer_logits: bool = Field(default=True, description="logits only where a loss is")
    cache_images: bool = Field(default=True, description="keep what a frozen vision tower makes of each picture")
    passes: Literal["auto", "joint", "separate"] = Field(
        default="auto", description="all streams in one forward, or one after the other in half the memory"
    )


class AlignConfig(BaseModel):
    """How to train. Defaults suit a 7B model fully fine-tuned, as in the paper's recipes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: AnyMethodConfig = SftConfig()
    learning_rate: float = Field(default=5e-7, gt=0, allow_inf_nan=False)
    batch_size: int = Field(default=4, ge=1, description="rows of each stream in an optimiser step, on all devices")
    micro_batch_size: int | None = Field(
        default=None, ge=1, description="rows of each stream at once on one device; default: as many as the step has"
    )
    steps: int | None = Field(default=None, ge=1, description="optimiser steps; default: `epochs` passes")
    epochs: float = Field(default=1.0, gt=0, description="passes over the forget set (SFT: over the training set)")
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = Field(default=0.03, ge=0, lt=1, description="share of the steps")
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    trainable: Annotated[tuple[Part, ...], AfterValidator(_some)] = ("language", "projector")
    lora: LoraSettings | None = None
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="of the arithmetic; trainable weights are held in float32. auto: by the device"
    )
    checkpointing: float = Field(
        default=0.0, ge=0, le=1, description="share of the decoder layers that are computed again in the backward pass"
    )
    savings: Savings = Savings()
    order: Literal["shuffled", "by-length"] = Field(
        default="shuffled", description="by-length: rows of like length together, batches in random order"
    )
    save_every: int = Field(default=100, ge=1, description="steps between checkpoints, where there is a work directory")
    keep_last: int = Field(default=2, ge=1, description="how many checkpoints to keep")
    collapse_nats: float | None = Field(
        default=5.0, gt=0, description="stop when the cross-entropy has risen so far above its start, per token"
    )
    save_dtype: Literal["auto", "float32", "bfloat16"] = Field(default="auto", description="auto: that of the base")
    seed: int = 0
