"""Estimate the memory of a training run: weights, gradients, optimizer states and activations."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from unmirage.align.config import AlignConfig
from unmirage.align.estimate.blocks import ROLES, Block, Linear
from unmirage.align.estimate.result import Parameters, PartParameters
from unmirage.align.parts import adapters_alone
from unmirage.models.families import decoder_layers, final_norm, output_layer, part_of
from unmirage.models.structure import PARTS

_FLOAT32 = 4
_FOUR_BITS = (4 + 8 / 64 + 32 / (64 * 256)) / 8  # NF4 with blocks of 64, whose scales have 8 bits in blocks of 256


@dataclass(frozen=True, slots=True)
class States:
    """Bytes on one unsharded device.

    Attributes:
        weights, gradients: the weights, and the gradients of those that have one.
        optimizer: AdamW's two moments and step count of each weight with a gradient.
        reference: frozen copies.
        step: temporary tensors of the optimizer step on a GPU, one number per updated weight.
    """

    weights: int
    gradients: int
    optimizer: int
    reference: int
    step: int


def count_parameters(model: nn.Module) -> Parameters:
    """Return the parameters of all parts."""
    total, trainable = Counter[str](), Counter[str]()
    dtypes: dict[str, Counter[str]] = {part: Counter() for part in PARTS}
    for name, parameter in model.named_parameters():
        part, size = part_of(model, name), parameter.numel()
        total[part] += size
        trainable[part] += size * parameter.requires_grad
        dtypes[part][str(parameter.dtype).removeprefix("torch.")] += size
    shown = [part for part in PARTS if part != "audio" or total[part]]
    return Parameters.of([PartParameters(part, total[part], trainable[part], dict(dtypes[part])) for part in shown])


def states(model: Any, config: AlignConfig, reached: int, *, live: bool) -> States:
    """Return the bytes of weights, gradients, optimizer states and reference.

    Args:
        model: the skeleton, whose trainable weights have been chosen.
        config: settings.
        reached: number of decoder layers that a loss depends on; weights above them have no gradient.
        live: the reference runs in each step, because its outputs are not cached.
    """
    parameters = list(model.parameters())
    reaches = _reaches(model, reached)
    moved = [one for name, one in model.named_parameters() if one.requires_grad and reaches(name)]
    numbers = sum(one.numel() for one in moved)
    quantized = config.lora is not None and config.lora.bits == 4
    held = {id(one) for name, one in model.named_parameters() if quantized and name.endswith(".base_layer.weight")}
    return States(
        weights=math.ceil(
            sum(one.numel() * (_FOUR_BITS if id(one) in held else one.element_size()) for one in parameters)
        ),
        gradients=_FLOAT32 * numbers,
        optimizer=2 * _FLOAT32 * numbers + _FLOAT32 * len(moved),
        reference=reference_bytes(model, config, live=live),
        step=_FLOAT32 * numbers,
    )


def reference_bytes(model: Any, config: AlignConfig, *, live: bool) -> int:
    """Return the bytes that `align.reference.Reference` copies: the model, its output layer, or nothing."""
    if live:
        by_adapter = adapters_alone(config) and config.optimizations.adapter_off
        return 0 if by_adapter else sum(one.numel() * one.element_size() for one in model.parameters())
    head = list(output_layer(model).parameters())
    trains = any(one.requires_grad for one in head)
    return sum(one.numel() * one.element_size() for one in head) if trains else 0


def _reaches(model: Any, reached: int) -> Any:
    """Return a function of a parameter's name: whether a loss on the first `reached` layers depends on it."""
    layers = decoder_layers(model)
    if reached == len(layers):
        return lambda _name: True
    above = {id(one) for layer in layers[reached:] for one in layer.parameters()}
    norm = final_norm(model)
    above |= set() if norm is None else {id(one) for one in norm.parameters()}
    embeddings = model.get_input_embeddings().weight
    above |= {id(one) for one in output_layer(model).parameters() if one is not embeddings}
    names = {name for name, one in model.named_parameters() if id(one) in above}
    return lambda name: name not in names


@dataclass(frozen=True, slots=True)
class Widths:
    """Bytes per number in matrix products (2 under bfloat16 autocast, else 4) and in the residual stream."""

    arithmetic: int
    residual: int

    @classmethod
    def of(cls, arithmetic: torch.dtype, embeddings: torch.dtype) -> Widths:
        """Return the widths for the dtypes of matrix products and of input embeddings.

        The residual stream is the sum of embeddings and products: with float16 and bfloat16, it is float32.
        """
        return cls(arithmetic.itemsize, torch.promote_types(arithmetic, embeddings).itemsize)

    @property
    def mixed(self) -> bool:
        """Whether matrix products have another dtype than the trained weights."""
        return self.arithmetic == 2


def linears_saved(linears: list[Linear], widths: Widths, *, narrow: bool, dropout: bool = False) -> float:
    """Return the bytes per token that linear modules with a common input save of it, including their adapters.

    Args:
        linears: the modules.
        widths: bytes per number.
        narrow: the input has the dtype of the matrix products, so that a plain matrix needs no copy.
        dropout: adapters use dropout, each with its own mask.
    """
    plain = [one for one in linears if one.trains]
    adapted = [one for one in linears if one.rank]
    size = widths.arithmetic
    saved = float(size * sum(one.rank for one in adapted))
    own_copies = widths.mixed or dropout
    if own_copies:  # an adapter reads float32, of which autocast makes a copy for each
        saved += sum((size + dropout) * one.inputs for one in adapted)
    copying = widths.mixed and not narrow
    if copying:
        saved += sum(size * one.inputs for one in plain)
    shared = (plain if not copying else []) + (adapted if not own_copies else [])
    return saved + size * max((one.inputs for one in shared), default=0)


def block_saved(
    block: Block, rows: int, tokens: int, widths: Widths, *, live: bool, mask: bool, dropout: bool = False
) -> float:
    """Return the bytes that one layer saves for its backward pass.

    Args:
        block: the layer.
        rows, tokens: number of sequences, and tokens of each including padding.
        widths: bytes per number.
        live: the layer's input has a gradient.
        mask: rows differ in length, so that attention has a mask of tokens x tokens.
        dropout: adapters use dropout.
    """
    size = widths.arithmetic
    first = [norm for norm in block.norms if norm.first]
    later = [norm for norm in block.norms if not norm.first]
    narrow = widths.residual == size and not any(norm.trains for norm in block.norms)
    saved = 0.0
    for norm in first:
        saved += norm_saved(norm.width, widths, live=live, trains=norm.trains)
    live = live or any(norm.trains for norm in first)
    for role in ROLES:
        linears = block.of(role)
        if role == "attention-out":
            if live:  # queries, keys, values and the output, which the next product reads
                saved += 4 * size * block.attention + (size * tokens if mask else 0)
            alone = live and not (widths.mixed and any(one.rank for one in linears)) and not dropout
            saved += size * sum(one.rank for one in linears) if alone else _read(linears, widths, dropout)
        elif role == "mlp-in":
            for norm in later:
                saved += norm_saved(norm.width, widths, live=live, trains=norm.trains)
            live = live or any(norm.trains for norm in later)
            saved += linears_saved(linears, widths, narrow=narrow, dropout=dropout)
        elif role == "mlp-out":
            if live:  # gate, activated gate and the other branch; or what the activation function saves
                saved += size * block.inner * (block.kept + 2 if block.gated else block.kept)
            saved += _read(linears, widths, dropout)
        else:
            saved += linears_saved(linears, widths, narrow=narrow, dropout=dropout)
        live = live or any(one.learns for one in linears)
    return saved * rows * tokens


def _read(linears: list[Linear], widths: Widths, dropout: bool) -> float:
    return linears_saved(linears, widths, narrow=True, dropout=dropout)


def norm_saved(width: int, widths: Widths, *, live: bool, trains: bool) -> float:
    """Return the bytes per token that a norm saves: its input in float32, and the factor of the weight's gradient."""
    return 4.0 * width * live + widths.residual * width * trains


def projector_saved(linears: tuple[Linear, ...], widths: Widths, *, live: bool) -> float:
    """Return the bytes per image token that the projector saves; `live`: the vision tower trains."""
    saved = 0.0
    for number, linear in enumerate(linears):
        if number and live:
            saved += widths.arithmetic * linear.inputs  # input of the activation between two linear layers
        saved += linears_saved([linear], widths, narrow=number > 0)
        live = live or linear.learns
    return saved
