"""Estimate the bytes that a forward pass holds for the backward pass, by layers and tokens.

What autograd saves in the layers of Hugging Face's models, operation by operation; it is checked against
`torch.autograd.graph.saved_tensors_hooks`. Under bfloat16 arithmetic normalisations stay in float32, and each matrix
that reads a float32 tensor makes a bfloat16 copy of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from unmirage.align.estimate.blocks import ROLES, Block, Linear


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
        saved += _norm_saved(norm.width, widths, live=live, trains=norm.trains)
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
                saved += _norm_saved(norm.width, widths, live=live, trains=norm.trains)
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


def _norm_saved(width: int, widths: Widths, *, live: bool, trains: bool) -> float:
    """Return bytes a token: what goes in, in float32, and for the weight's gradient what it is multiplied with."""
    return 4.0 * width * live + widths.residual * width * trains


def final_norm_saved(width: int, widths: Widths, *, live: bool, trains: bool) -> float:
    """Return bytes a token that the decoder's last normalisation saves."""
    return _norm_saved(width, widths, live=live, trains=trains)


def projector_saved(linears: tuple[Linear, ...], widths: Widths, *, live: bool) -> float:
    """Return bytes an image token that the projector saves; `live`: the vision tower trains."""
    saved = 0.0
    for number, linear in enumerate(linears):
        if number and live:
            saved += widths.arithmetic * linear.inputs  # what the function between two linears reads
        saved += linears_saved([linear], widths, narrow=number > 0)
        live = live or linear.learns
    return saved
