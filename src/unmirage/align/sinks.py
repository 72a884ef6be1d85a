"""Find attention sinks among the tokens of queries and answers, by the activations of the frozen model.

Pretrained decoders give a few tokens activations that are many times larger than all others, also inside a query or an
answer (Sun et al., arXiv 2402.17762). Such a token dominates a mean of squared distances. A loss on representations
leaves it out, and then one token has at most about `ratio` / (number of tokens in the step) of the loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def mean_squares(hidden: Tensor) -> Tensor:
    """Return (places,): the mean over the width of the squared activations (places, width), in float32."""
    return hidden.float().square().mean(-1)


def find_sinks(squares: Mapping[int, Tensor], ratio: float) -> dict[int, Tensor]:
    """Return, for each row, which of its places are sinks.

    A place is a sink if its mean square exceeds `ratio` times the median over the places of all rows. The median does
    not depend on how many sinks there are, as long as they are a minority.

    Args:
        squares: (places,) mean square of each place, by row.
        ratio: above 1.
    """
    if not squares:
        return {}
    limit = ratio * torch.cat(list(squares.values())).float().median()
    return {row: own > limit for row, own in squares.items()}


def without(places: Tensor, sinks: Sequence[Tensor | None]) -> Tensor:
    """Return the places (rows, tokens) without the sinks.

    Args:
        places: True where representations count.
        sinks: for each row, (n,) True for the sinks among its n places; None for a row without.
    """
    kept = places.clone()
    for row, own in enumerate(sinks):
        if own is not None:
            kept[row, places[row]] = ~own
    return kept
