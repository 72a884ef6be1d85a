"""Logits in, the next tokens out: the likeliest, or drawn at a temperature so that a query alone decides its draw.

A draw is the largest of logits / temperature plus Gumbel noise, which is a draw from their softmax (Gumbel 1954;
Maddison et al. 2014, arXiv 1411.0030). The noise is a pure function of seed, query id, step and token: it does not
hang on which queries share a batch, in which order they come, or on which device they are answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unmirage.data.splitmix import STEP, finalized, shifted


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the rows of one batch are drawn.

    Attributes:
        temperature: above 0; the logits are divided by it. Nothing else is changed: no top-k, no top-p.
        seed: another one gives other draws.
        query_ids: of the rows.
    """

    temperature: float
    seed: int
    query_ids: Sequence[str]

    def noisy(self, logits: Tensor, rows: Sequence[int], step: int) -> Tensor:
        """Return (n, vocabulary) scores, the largest of which is the token drawn.

        Args:
            logits: (n, vocabulary) of the rows that still answer.
            rows: (n) which rows of the batch these are.
            step: number of the new token, from 0.
        """
        keys = [draw_key(self.seed, self.query_ids[row], step) for row in rows]
        noise = gumbel(torch.tensor(keys, device=logits.device), logits.shape[-1])
        return logits.double() / self.temperature + noise


def draw_key(seed: int, query_id: str, step: int) -> int:
    """Return the 64-bit key, as a signed number, from which the noise of one token comes."""
    told = f"{seed}\0{step}\0{query_id}".encode("utf-8", "replace")
    return int.from_bytes(hashlib.sha256(told).digest()[:8], "big", signed=True)


def gumbel(keys: Tensor, size: int) -> Tensor:
    """Return (keys, size) standard Gumbel noise: -log(-log u), u from the first outputs of SplitMix64 at each key."""
    bits = splitmix64(keys, size)
    # 53 bits are what a double holds; the half keeps u off 0 and 1.
    uniform = (shifted(bits, 11).double() + 0.5) / 2.0**53
    return -torch.log(-torch.log(uniform))


def splitmix64(keys: Tensor, size: int) -> Tensor:
    """Return (keys, size) int64: the first `size` outputs of the generator at each key. Sums and products wrap."""
    return finalized(keys[:, None] + torch.arange(1, size + 1, device=keys.device) * STEP)
