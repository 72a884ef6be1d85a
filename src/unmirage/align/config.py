"""All settings of one alignment run, with their defaults in one place."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from unmirage.align.methods import AnyMethodConfig, SftConfig
from unmirage.align.parts import PARTS, Trainable, check_own, down_layers, named_modes
from unmirage.models.base import Thinking

__all__ = ["PARTS", "AlignConfig", "LoraSettings", "Optimizations", "down_layers"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Plain(BaseModel):
    """Settings whose dump leaves out what older versions lack, at its default, so that older trainings resume."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    _later: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _plain(self, told: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = told(self)
        fields = type(self).model_fields
        absent = [
            one for one in self._later if getattr(self, one) == fields[one].get_default(call_default_factory=True)
        ]
        return {key: value for key, value in found.items() if key not in absent}


class LoraSettings(_Plain):
    """Low-rank adapters (Hu et al., arXiv 2106.09685) on all linear modules of the parts with mode "lora"."""

    _later = ("ranks", "alphas", "rslora", "dora", "modules_to_save", "bits")

    rank: int = Field(default=128, ge=1)
    alpha: float = Field(default=256.0, gt=0, allow_inf_nan=False, description="scale of the update is alpha / rank")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="above 0, model and reference differ from the start")
    ranks: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict, description="part -> its own rank")
    alphas: dict[str, Positive] = Field(
        default_factory=dict, description="part -> its own alpha; default: in proportion to its rank"
    )
    rslora: bool = Field(default=False, description="scale is alpha / sqrt(rank) (arXiv 2312.03732)")
    dora: bool = Field(default=False, description="train lengths of weights apart from directions (arXiv 2402.09353)")
    modules_to_save: tuple[str, ...] = Field(
        default=(), description="modules to train fully, by the ends of their names, as in peft"
    )
    bits: Literal[4] | None = Field(default=None, description="4: hold the adapted matrices in 4 bits (QLoRA)")


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


class AlignConfig(_Plain):
    """Training settings. Defaults suit full fine-tuning of a 7B model, as in the paper's recipes."""

    _later = ("thinking", "part_names", "learning_rates", "optimizer")

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
    max_grad_norm: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    trainable: Trainable = Field(
        default=("language", "projector"), description="parts, or part -> lora, full or frozen (default: frozen)"
    )
    lora: Annotated[LoraSettings | None, BeforeValidator(_by_rank)] = Field(
        default=None,
        validate_default=True,
        description="a number is the rank, with alpha = 2 rank; default: train the weights themselves",
    )
    learning_rates: dict[str, Positive] = Field(default_factory=dict, description="part -> its own learning rate")
    optimizer: Literal["adamw", "adamw8bit", "paged-adamw8bit"] = Field(
        default="adamw", description="adamw8bit: states of 8 bits, by bitsandbytes on a GPU; paged: in main memory"
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

    @field_validator("lora")
    @classmethod
    def _fits_parts(cls, lora: LoraSettings | None, info: ValidationInfo) -> LoraSettings | None:
        """Give parts with mode "lora" the default settings, and reject settings without effect."""
        trainable = info.data.get("trainable")
        if trainable is None:
            return lora  # it is invalid, which is the error
        found = named_modes(trainable, adapts=lora is not None)
        if "lora" not in found.values():
            if lora is not None:
                part = next(iter(found))
                raise ValueError(
                    f"no part of trainable has the mode lora, so these settings have no effect; write {part}: lora"
                )
            return None
        lora = lora or LoraSettings()
        by_part: dict[str, Collection[str]] = {"ranks": lora.ranks, "alphas": lora.alphas}
        for name, own in by_part.items():
            check_own(f"lora.{name}", own, found, {"lora"})
        if lora.dora and getattr(info.data.get("method"), "name", "") == "task-vector":
            raise ValueError(
                "dora does not work with the method task-vector, whose change cannot be scaled; leave it out"
            )
        return lora

    @field_validator("learning_rates")
    @classmethod
    def _of_trained(cls, own: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        trainable, lora = info.data.get("trainable"), info.data.get("lora")
        if trainable is not None:
            found = named_modes(trainable, adapts=lora is not None)
            check_own("learning_rates", own, found, {"lora", "full"})
        return own
