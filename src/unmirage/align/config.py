"""All settings of one alignment run, with their defaults in one place."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from unmirage.align.methods import AnyMethodConfig, SftConfig
from unmirage.models.base import Thinking

PARTS = ("language", "projector", "vision")
_DOWN = re.compile(r"down_proj:(\d+)(?:-(\d+))?")


def down_layers(part: str) -> list[int]:
    """Return the 1-based layers in "down_proj:5-7" or "down_proj:5"; empty for another part."""
    found = _DOWN.fullmatch(part)
    if found is None:
        return []
    first = int(found[1])
    return list(range(first, int(found[2] or first) + 1))


def _known_part(part: str) -> str:
    if part in PARTS or min(down_layers(part), default=0) > 0:
        return part
    raise ValueError(f"unknown part '{part}'; valid: {', '.join(PARTS)}, down_proj:5 or down_proj:5-7 (1-based layers)")


def _some(parts: tuple[str, ...]) -> tuple[str, ...]:
    if not parts:
        raise ValueError(f"empty, so nothing would be trained; valid: {', '.join(PARTS)}, down_proj:5 or down_proj:5-7")
    return parts


Part = Annotated[str, AfterValidator(_known_part)]


class LoraSettings(BaseModel):
    """Low-rank adapters (Hu et al., arXiv 2106.09685) on all linear modules of the trainable parts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(default=128, ge=1)
    alpha: float = Field(default=256.0, gt=0, description="scale of the update is alpha / rank")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="above 0, model and reference differ from the start")


def _by_rank(value: Any) -> Any:
    """Return the settings of a rank, as `--lora RANK` sets them; leave other values as they are."""
    is_rank = isinstance(value, int) and not isinstance(value, bool)
    return {"rank": value, "alpha": 2 * value} if is_rank else value


class Optimizations(BaseModel):
    """Optimizations that save work and do not change the loss. Each can be switched off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cache_reference: bool = Field(default=True, description="compute the reference outputs once and cache them")
    adapter_off: bool = Field(default=True, description="LoRA: use the model without its adapter as reference")
    stop_early: bool = Field(default=True, description="end the forward pass after the last layer used")
    answer_logits: bool = Field(default=True, description="compute logits only at tokens with loss")
    cache_images: bool = Field(default=True, description="cache the features of a frozen vision tower")
    passes: Literal["auto", "joint", "separate"] = Field(
        default="auto", description="joint: all streams in one forward pass; separate: one by one, in half the memory"
    )


class AlignConfig(BaseModel):
    """Training settings. Defaults suit full fine-tuning of a 7B model, as in the paper's recipes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: AnyMethodConfig = SftConfig()
    learning_rate: float = Field(default=5e-7, gt=0, allow_inf_nan=False)
    batch_size: int = Field(default=4, ge=1, description="rows of each stream per optimizer step, over all devices")
    micro_batch_size: int | None = Field(
        default=None, ge=1, description="rows of each stream per device and forward pass; default: all of the step"
    )
    steps: int | None = Field(default=None, ge=1, description="optimizer steps; default: `epochs` passes")
    epochs: float = Field(default=1.0, gt=0, description="passes over the forget set (SFT: over the training set)")
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = Field(default=0.03, ge=0, lt=1, description="share of the steps used for warmup")
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    trainable: Annotated[tuple[Part, ...], AfterValidator(_some)] = ("language", "projector")
    lora: Annotated[LoraSettings | None, BeforeValidator(_by_rank)] = Field(
        default=None, description="a number is the rank, with alpha = 2 rank; default: train the weights themselves"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="dtype of the computation; trainable weights stay in float32. auto: by the device"
    )
    checkpointing: float = Field(
        default=0.0, ge=0, le=1, description="share of decoder layers with gradient checkpointing"
    )
    optimizations: Optimizations = Optimizations()
    order: Literal["shuffled", "by-length", "within-steps"] = Field(
        default="shuffled",
        description="by-length: batches of rows with similar length, in random order; within-steps: the batches of "
        "shuffled, with the rows of each sorted by length, so that micro-batches have less padding",
    )
    save_every: int = Field(default=100, ge=1, description="steps between checkpoints, if there is a work directory")
    keep_last: int = Field(default=2, ge=1, description="number of checkpoints to keep")
    collapse_nats: float | None = Field(
        default=5.0, gt=0, description="stop when the cross-entropy has risen this far, in nats per token"
    )
    save_dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="dtype of the saved weights; auto: that of the base model"
    )
    thinking: Thinking = Field(
        default="auto", description="whether the chat template asks for reasoning; auto: the template's default"
    )
    part_names: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="part -> prefixes of parameter names, where the model's structure does not tell its parts",
    )
    seed: int = Field(default=0, ge=0)

    @model_serializer(mode="wrap")
    def _plain(self, told: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what older trainings lack, at its default: settings must match theirs."""
        found: dict[str, Any] = told(self)
        absent = {"thinking"} if self.thinking == "auto" else set()
        absent |= set() if self.part_names else {"part_names"}
        return {key: value for key, value in found.items() if key not in absent}
