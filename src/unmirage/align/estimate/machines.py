"""How fast machines multiply: named GPUs by their makers' figures, this machine by trying."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

UTILISATION = 0.40  # share of the peak that training of models of this size reaches (PaLM, arXiv 2204.02311, table 3)


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU and its peak rate in dense bfloat16 products, in 10^12 operations a second, by its data sheet."""

    name: str
    peak_tflops: float


GPUS = (Gpu("A100", 312.0), Gpu("H100", 989.5), Gpu("H200", 989.5))


def matmul_rate(size: int = 1024, seconds: float = 0.3) -> float:
    """Return how many operations a second this machine's CPU does in float32 products of matrices, by trying.

    Args:
        size: edge of the matrices.
        seconds: how long to try.
    """
    left = torch.ones(size, size)
    torch.mm(left, left)  # the first product sets things up
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        torch.mm(left, left)
        done += 1
    return done * 2 * size**3 / (time.perf_counter() - start)
