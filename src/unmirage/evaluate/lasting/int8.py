"""A model in, the same one with the weights that 8 bits can hold out: what many serve in place of what was tested.

Rounding moves weights by up to half a step of a grid. What unlearning changed by less than that can come back, as was
shown for 4 bits (Zhang et al. 2024, "Catastrophic failure of LLM unlearning via quantization", arXiv 2410.16454).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from unmirage.models.families import lora_targets

LEVELS = 127  # steps on either side of 0: symmetric, so that -128 stays unused


def rounded(weight: Tensor) -> Tensor:
    """Return (rows, columns) the nearest weights that int8 with one scale an output row can hold.

    For each row: s = max |w| / 127, q = round(w / s) with halves to the even number, w' = q * s. It is computed in
    float32 and given back in the weight's own type. A row of zeros stays one.
    """
    whole = weight.float()
    scale = whole.abs().amax(dim=1, keepdim=True) / LEVELS
    steps = torch.round(whole / scale.masked_fill(scale == 0, 1.0)).clamp(-LEVELS, LEVELS)
    return (steps * scale).to(weight.dtype)


@torch.no_grad()
def round_to_int8(model: Any) -> list[str]:
    """Round the weights of all linear modules of vision tower, projector and language model, in place.

    Embeddings, the output layer, norms, biases and convolutions stay as they are, and so does the arithmetic: this is
    weight-only quantisation. No memory is saved; it is the answers that are of interest.

    Returns:
        The names of the modules, as they are in the model.
    """
    names = lora_targets(model, ("vision", "projector", "language"))
    for name in names:
        weight = model.get_submodule(name).weight
        weight.copy_(rounded(weight))
    return names
