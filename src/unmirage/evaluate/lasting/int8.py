"""Quantize the weights of a model to int8, as many deployments do.

Rounding changes each weight by up to half a quantization step. It can revert unlearning updates smaller than that, as
Zhang et al. show for 4 bits (2024, "Catastrophic failure of LLM unlearning via quantization", arXiv 2410.16454).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from unmirage.models.families import lora_targets

LEVELS = 127  # quantization steps on each side of 0; the grid is symmetric, so -128 is unused


def rounded(weight: Tensor) -> Tensor:
    """Round weights of shape (rows, columns) to int8 values with one scale per output row.

    For each row: s = max |w| / 127, q = round(w / s) with ties to even, w' = q * s. The computation uses float32; the
    result has the dtype of the weight. A row of zeros stays unchanged.
    """
    whole = weight.float()
    scale = whole.abs().amax(dim=1, keepdim=True) / LEVELS
    steps = torch.round(whole / scale.masked_fill(scale == 0, 1.0)).clamp(-LEVELS, LEVELS)
    return (steps * scale).to(weight.dtype)


@torch.no_grad()
def round_to_int8(model: Any) -> list[str]:
    """Round the weights of all linear modules in the vision tower, projector and language model, in place.

    This is weight-only quantization: arithmetic, embeddings, output layer, norms, biases and convolutions stay
    unchanged. It simulates the effect on responses and does not save memory.

    Returns:
        Names of the rounded modules.
    """
    names = lora_targets(model, ("vision", "projector", "language"))
    for name in names:
        weight = model.get_submodule(name).weight
        weight.copy_(rounded(weight))
    return names
