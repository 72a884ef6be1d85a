"""Estimate the memory of a training run: weights, gradients, optimizer states and activations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from unmirage.align.config import PARTS, AlignConfig
from unmirage.align.estimate.blocks import ROLES, Block, Linear
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
        by_adapter = config.lora is not None and config.optimizations.adapter_off
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


@dataclass(frozen=True, slots=True)
class Widths:
    """Bytes of one number.

    Attributes:
        arithmetic: in products of matrices: 2 under bfloat16 autocast, else 4.
        residual: in the stream between the layers.
    """

    arithmetic: int
    residual: int

    @classmethod
    def of(cls, arithmetic: torch.dtype, embeddings: torch.dtype) -> Widths:
        """Return them for a type of products and the one in which the input embeddings are held.

        The stream begins as embeddings, to which products are added: with float16 and bfloat16, it is float32.
        """
        return cls(arithmetic.itemsize, torch.promote_types(arithmetic, embeddings).itemsize)

    @property
    def mixed(self) -> bool:
        """Whether products are done in another type than the weights that train are held in."""
        return self.arithmetic == 2


def linears_saved(linears: list[Linear], widths: Widths, *, narrow: bool, dropout: bool = False) -> float:
    """Return bytes a token that linear modules which read the same tensor save of it, their adapters' included.

    Args:
        linears: which of them.
        widths: bytes of a number.
        narrow: what they read is in the type of the arithmetic already, so a plain matrix need not copy it.
        dropout: adapters drop inputs at random, each its own.
    """
    plain = [one for one in linears if one.trains]
    adapted = [one for one in linears if one.rank]
    size = widths.arithmetic
    saved = float(size * sum(one.rank for one in adapted))
    own_copies = widths.mixed or dropout
    if own_copies:  # an adapter reads in float32, from which the arithmetic makes a copy for each
        saved += sum((size + dropout) * one.inputs for one in adapted)
    copying = widths.mixed and not narrow
    if copying:
        saved += sum(size * one.inputs for one in plain)
    shared = (plain if not copying else []) + (adapted if not own_copies else [])
    return saved + size * max((one.inputs for one in shared), default=0)


def block_saved(
    block: Block, rows: int, tokens: int, widths: Widths, *, live: bool, mask: bool, dropout: bool = False
) -> float:
    """Return bytes that one layer saves for its backward pass.

    Args:
        block: the layer.
        rows: sequences.
        tokens: of each, padding included.
        widths: bytes of a number.
        live: what enters the layer has a gradient.
        mask: rows differ in length, so that attention gets a mask of tokens x tokens.
        dropout: adapters drop inputs at random.
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
            if live:  # queries, keys, values, and what comes out, which the next product reads
                saved += 4 * size * block.attention + (size * tokens if mask else 0)
            alone = live and not (widths.mixed and any(one.rank for one in linears)) and not dropout
            saved += size * sum(one.rank for one in linears) if alone else _read(linears, widths, dropout)
        elif role == "mlp-in":
            for norm in later:
                saved += norm_saved(norm.width, widths, live=live, trains=norm.trains)
            live = live or any(norm.trains for norm in later)
            saved += linears_saved(linears, widths, narrow=narrow, dropout=dropout)
        elif role == "mlp-out":
            if live:  # gate, activated gate and the other branch; or what the activation function keeps
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
    """Return bytes an image token that the projector saves; `live`: the vision tower trains."""
    saved = 0.0
    for number, linear in enumerate(linears):
        if number and live:
            saved += widths.arithmetic * linear.inputs  # what the function between two linears reads
        saved += linears_saved([linear], widths, narrow=number > 0)
        live = live or linear.learns
    return saved
