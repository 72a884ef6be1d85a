"""Sample tokens at a temperature so that the draw of a query does not depend on the rest of its batch.

A draw is the largest of logits / temperature plus Gumbel noise, which is a sample from their softmax (Gumbel 1954;
Maddison et al. 2014, arXiv 1411.0030). The noise is a pure function of seed, query id, step and token. It does not
depend on the batch, the order of queries or the device.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unmirage.data.sample import STEP, finalized, shifted


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling settings and query ids of one batch.

    Attributes:
        temperature: above 0; divides the logits. There is no top-k and no top-p.
        query_ids: ids of the queries, by row.
    """

    temperature: float
    seed: int
    query_ids: Sequence[str]

    def noisy(self, logits: Tensor, rows: Sequence[int], step: int) -> Tensor:
        """Return (n, vocabulary) scores, whose argmax is the sampled token.

        Args:
            logits: (n, vocabulary) of the rows that have not ended.
            rows: (n) their row numbers in the batch.
            step: index of the new token, from 0.
        """
        keys = [draw_key(self.seed, self.query_ids[row], step) for row in rows]
        noise = gumbel(torch.tensor(keys, device=logits.device), logits.shape[-1])
        return logits.double() / self.temperature + noise


def draw_key(seed: int, query_id: str, step: int) -> int:
    """Return the signed 64-bit key of the noise for one token."""
    told = f"{seed}\0{step}\0{query_id}".encode("utf-8", "replace")
    return int.from_bytes(hashlib.sha256(told).digest()[:8], "big", signed=True)


def gumbel(keys: Tensor, size: int) -> Tensor:
    """Return (keys, size) standard Gumbel noise: -log(-log u), with u from the first SplitMix64 outputs of each key."""
    bits = splitmix64(keys, size)
    # 53 bits are what a double holds; the half keeps u off 0 and 1.
    uniform = (shifted(bits, 11).double() + 0.5) / 2.0**53
    return -torch.log(-torch.log(uniform))


def splitmix64(keys: Tensor, size: int) -> Tensor:
    """Return (keys, size) int64: the first `size` outputs of the generator at each key. Sums and products wrap."""
    return finalized(keys[:, None] + torch.arange(1, size + 1, device=keys.device) * STEP)
