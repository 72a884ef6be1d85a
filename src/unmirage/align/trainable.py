"""Which weights train, in which precision, and which layers are computed twice to hold less."""

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
    """Let only what `config` names require gradients, in float32; return the adapter's settings, if there is one.

    Weights held in bfloat16 would lose updates that are smaller than their spacing: at a learning rate of 5e-7,
    nearly all of them.

    Raises:
        UserError: a layer that it names is not there.
    """
    if arithmetic(config) is torch.float32:
        model.float()  # what stays as it is too: no layer multiplies float32 by bfloat16
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
    """Compute the first `share` of the decoder layers again in the backward pass, in place of holding what they made.

    Without it (0), layers that were set to it before hold everything again.
    """
    layers: Any = decoder_layers(model)
    for number, layer in enumerate(layers):
        # What `gradient_checkpointing_enable` sets too, on all layers; its name changes between versions.
        layer.gradient_checkpointing = number < math.ceil(share * len(layers))
        layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)


def arithmetic(config: AlignConfig) -> torch.dtype:
    """Return in which type the model computes."""
    if config.precision == "auto":
        return torch.bfloat16 if torch.cuda.is_available() else torch.float32
    return torch.bfloat16 if config.precision == "bfloat16" else torch.float32
