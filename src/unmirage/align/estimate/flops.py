"""Count floating-point operations by layers and tokens: a matrix product counts two for each multiplication.

Counted as in Kaplan et al. (arXiv 2001.08361, section 2.1): 2 x weights x tokens forward, and attention's two products
with the tokens it looks at; what is not a product of matrices is left out. Backward, each product is done once more
for the gradient of what went in, where anything before it trains, and once more for that of its weights, where they
do. Attention is counted over the whole square of tokens, as kernels that are given a mask compute it.
"""

from __future__ import annotations

from unmirage.align.estimate.blocks import ROLES, Block, Linear

# Flash attention's backward pass has five products where the forward pass has two (Dao, arXiv 2307.08691).
_ATTENTION_BACKWARD = 2.5


def linear_forward(linear: Linear, tokens: float) -> float:
    """Return the operations of one linear module on so many tokens, its adapter's included."""
    return 2 * tokens * (linear.inputs * linear.outputs + linear.rank * (linear.inputs + linear.outputs))


def linear_backward(linear: Linear, tokens: float, *, live: bool) -> float:
    """Return those of its backward pass; `live`: what goes in has a gradient."""
    base, down, up = linear.inputs * linear.outputs, linear.inputs * linear.rank, linear.outputs * linear.rank
    weights = base * linear.trains + down + up
    inputs = (base + down) * live + up
    return 2 * tokens * (weights + inputs) if live or linear.learns else 0.0


def block_forward(block: Block, rows: int, tokens: int) -> float:
    """Return the operations of one layer, forward, on `rows` x `tokens`."""
    products = sum(linear_forward(linear, rows * tokens) for _, linear in block.linears)
    return products + _attention(block, rows, tokens)


def block_backward(block: Block, rows: int, tokens: int, *, live: bool) -> float:
    """Return those of its backward pass; `live`: a gradient has to come out at its input."""
    total = 0.0
    live = live or any(norm.trains and norm.first for norm in block.norms)
    for role in ROLES:
        if role == "attention-out" and live:
            total += _ATTENTION_BACKWARD * _attention(block, rows, tokens)
        if role == "mlp-in":
            live = live or any(norm.trains for norm in block.norms)
        total += sum(linear_backward(linear, rows * tokens, live=live) for linear in block.of(role))
        live = live or any(linear.learns for linear in block.of(role))
    return total


def _attention(block: Block, rows: int, tokens: int) -> float:
    return 4.0 * rows * tokens**2 * block.attention
