"""Choose which weights are trained, in which dtype, and which layers use gradient checkpointing."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from peft import LoraConfig
from torch.utils.checkpoint import checkpoint

from unmirage.align.config import AlignConfig, down_layers
from unmirage.align.lora import add_adapter
from unmirage.models.families import decoder_layers, down_projections, lora_targets, set_trainable


def choose_trainable(model: Any, config: AlignConfig) -> LoraConfig | None:
    """Make only the weights in `config` require gradients, in float32; return the adapter's settings, if there is one.

    bfloat16 weights would lose updates below their precision: at a learning rate of 5e-7, nearly all of them.

    Raises:
        UserError: the config has a layer that the model lacks.
    """
    if arithmetic(config) is torch.float32:
        model.float()  # frozen weights too, because layers cannot multiply float32 by bfloat16
    parts = [part for part in config.trainable if not down_layers(part)]
    layers = [layer for part in config.trainable for layer in down_layers(part)]
    down = down_projections(model, layers)
    adapter = None
    if config.lora is not None:
        targets = [name.removesuffix(".weight") for name in down]
        adapter = add_adapter(model, config.lora, list(dict.fromkeys([*lora_targets(model, parts), *targets])))
    else:
        set_trainable(model, parts)
        for name in down:
            model.get_parameter(name).requires_grad_(True)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return adapter


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
        return torch.bfloat16 if torch.cuda.is_available() else torch.float32
    return torch.bfloat16 if config.precision == "bfloat16" else torch.float32
