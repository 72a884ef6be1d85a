"""Count parameters, and the bytes of weights, gradients and optimizer states."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from torch import nn

from unmirage.align.config import PARTS, AlignConfig
from unmirage.align.estimate.result import PartParameters
from unmirage.models.families import decoder, decoder_layers, part_of

_FLOAT32 = 4


@dataclass(frozen=True, slots=True)
class States:
    """Bytes on one device that holds everything.

    Attributes:
        weights: as held.
        gradients: of the weights that get one.
        optimizer: AdamW's two moments and its count of steps for each of those weights.
        reference: of frozen copies.
        step: the optimiser's temporaries on a GPU, where it updates all weights at once: one number for each.
    """

    weights: int
    gradients: int
    optimizer: int
    reference: int
    step: int


def count_parameters(model: nn.Module) -> tuple[PartParameters, ...]:
    """Return the parameters of each part."""
    total, trainable = Counter[str](), Counter[str]()
    dtypes: dict[str, Counter[str]] = {part: Counter() for part in PARTS}
    for name, parameter in model.named_parameters():
        part, size = part_of(name), parameter.numel()
        total[part] += size
        trainable[part] += size * parameter.requires_grad
        dtypes[part][str(parameter.dtype).removeprefix("torch.")] += size
    return tuple(PartParameters(part, total[part], trainable[part], dict(dtypes[part])) for part in PARTS)


def states(model: Any, config: AlignConfig, reached: int, *, live: bool) -> States:
    """Return the bytes of weights, gradients, optimiser states and reference.

    Args:
        model: the skeleton, for which is chosen what trains.
        config: settings.
        reached: decoder layers that any loss depends on: weights above them never get a gradient.
        live: the reference is asked in each step, as nothing it says is kept.
    """
    parameters = list(model.parameters())
    reaches = _reaches(model, reached)
    moved = [one for name, one in model.named_parameters() if one.requires_grad and reaches(name)]
    numbers = sum(one.numel() for one in moved)
    return States(
        weights=sum(one.numel() * one.element_size() for one in parameters),
        gradients=_FLOAT32 * numbers,
        optimizer=2 * _FLOAT32 * numbers + _FLOAT32 * len(moved),
        reference=reference_bytes(model, config, live=live),
        step=_FLOAT32 * numbers,
    )


def reference_bytes(model: Any, config: AlignConfig, *, live: bool) -> int:
    """Return the bytes of what `align.reference.Reference` copies: the model, its output layer, or nothing."""
    if live:
        by_adapter = config.lora is not None and config.savings.adapter_off
        return 0 if by_adapter else sum(one.numel() * one.element_size() for one in model.parameters())
    head = list(model.get_output_embeddings().parameters())
    trains = any(one.requires_grad for one in head)
    return sum(one.numel() * one.element_size() for one in head) if trains else 0


def _reaches(model: Any, reached: int) -> Any:
    """Return what tells by name whether a loss that stops after so many layers depends on a parameter."""
    layers = decoder_layers(model)
    if reached == len(layers):
        return lambda _name: True
    above = {id(one) for layer in layers[reached:] for one in layer.parameters()}
    text: Any = decoder(model)
    above |= {id(one) for one in text.norm.parameters()}
    embeddings = model.get_input_embeddings().weight
    above |= {id(one) for one in model.get_output_embeddings().parameters() if one is not embeddings}
    names = {name for name, one in model.named_parameters() if id(one) in above}
    return lambda name: name not in names
