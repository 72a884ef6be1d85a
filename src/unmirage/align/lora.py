"""Choose which weights are trained, and add LoRA adapters in place."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn
from torch.utils.checkpoint import checkpoint

from unmirage.align.config import AlignConfig, LoraSettings, down_layers
from unmirage.align.processes import on_gpu
from unmirage.errors import UserError
from unmirage.models.adapters import adapter_layers
from unmirage.models.families import (
    decoder_layers,
    down_projections,
    lora_targets,
    part_of,
    set_part_names,
    set_trainable,
)
from unmirage.models.logits import logit_rule

log = logging.getLogger(__name__)


def add_adapter(model: Any, settings: LoraSettings, targets: Sequence[str]) -> LoraConfig:
    """Add an adapter to the linear modules `targets` of `model`, in place; only the adapter requires gradients.

    It starts with no effect (B = 0); A is drawn from torch's global generator.

    Raises:
        UserError: there are no targets, for example if the projector is a single bare matrix (Gemma3's).
    """
    if not targets:
        raise UserError("lora: no trainable part of this model has a linear module; add 'language' to trainable")
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]  # peft accepts any number
        lora_dropout=settings.dropout,
        target_modules=list(targets),
        bias="none",
    )
    model.requires_grad_(False)
    inject_adapter_in_model(config, model)
    return config


@contextmanager
def adapter_off(model: nn.Module) -> Iterator[None]:
    """Disable the adapter of `model` inside the block."""
    layers = list(adapter_layers(model).values())
    trains = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)
        # peft sets requires_grad when it disables and enables adapters; restore the earlier state.
        for parameter in trains:
            parameter.requires_grad_(True)


def scale_adapter(model: nn.Module, factor: float) -> None:
    """Multiply the update of the adapter by `factor`."""
    for layer in adapter_layers(model).values():
        matrix: Any = layer.lora_B["default"]
        matrix.weight.data.mul_(factor)


def choose_trainable(model: Any, config: AlignConfig) -> LoraConfig | None:
    """Make only the weights in `config` require gradients, in float32; return the adapter's settings, if there is one.

    bfloat16 weights would lose updates below their precision: at a learning rate of 5e-7, nearly all of them.

    Raises:
        UserError: the config has a layer that the model lacks.
    """
    if arithmetic(config) is torch.float32:
        model.float()  # frozen weights too, because layers cannot multiply float32 by bfloat16
    set_part_names(model, config.part_names)
    logit_rule(model)  # measured before the weights are sharded, and before anything is counted
    parts = [part for part in config.trainable if not down_layers(part)]
    layers = [layer for part in config.trainable for layer in down_layers(part)]
    down = down_projections(model, layers)
    adapter = None
    if config.lora is not None:
        targets = [name.removesuffix(".weight") for name in down]
        if experts := _experts(model, parts):
            log.info("lora: %d tensors of experts get no adapter, only the layers around them", experts)
        adapter = add_adapter(model, config.lora, list(dict.fromkeys([*lora_targets(model, parts), *targets])))
    else:
        set_trainable(model, parts)
        for name in down:
            model.get_parameter(name).requires_grad_(True)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return adapter


def _experts(model: Any, parts: Sequence[str]) -> int:
    """Return the number of tensors in which the library keeps the matrices of several experts."""
    return sum(
        parameter.dim() == 3 and "expert" in name and part_of(model, name) in parts
        for name, parameter in model.named_parameters()
    )


def set_checkpointing(model: Any, share: float) -> None:
    """Use gradient checkpointing for the first `share` of the decoder layers.

    A share of 0 switches it off on all layers.
    """
    layers: Any = decoder_layers(model)
    for number, layer in enumerate(layers):
        # `gradient_checkpointing_enable` sets this on all layers; its name changes between versions.
        layer.gradient_checkpointing = number < math.ceil(share * len(layers))
        layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)


def arithmetic(config: AlignConfig) -> torch.dtype:
    """Return the dtype of the model's computation."""
    if config.precision == "auto":
        return torch.bfloat16 if on_gpu() else torch.float32
    return torch.bfloat16 if config.precision == "bfloat16" else torch.float32
