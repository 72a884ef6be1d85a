"""The modified copies of a model that the stress test queries: relearned, quantized, sampled, without adapter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unmirage.errors import UserError
from unmirage.models.bases import base_of
from unmirage.models.families import lora_targets
from unmirage.models.folder import ADAPTER_CONFIG, is_adapter
from unmirage.records import Variant
from unmirage.run.model import ADAPTER_FOLDER

RELEARNED, INT8, TEMPERATURE, NO_ADAPTER = "relearned", "int8", "temperature", "no adapter"


def plan_variants(
    of: str,
    *,
    relearn: Sequence[str] = (),
    samples: Sequence[int] = (),
    int8: bool = False,
    temperatures: Sequence[float] = (),
    no_adapter: bool = False,
) -> list[Variant]:
    """Return all variants of the model `of`, in the order in which they are built.

    Args:
        of: name of the model in tables.
        relearn: names of the fine-tuning datasets.
        samples: numbers of fine-tuning samples; each is combined with each dataset. 0 adds no variant.
        int8: whether to add a variant with weights rounded to 8 bits.
        temperatures: sampling temperatures; each adds a variant.
        no_adapter: whether to add the model without its adapter.
    """
    found = [_variant(of, INT8)] if int8 else []
    found += [_variant(of, TEMPERATURE, amount=one) for one in temperatures]
    found += [_variant(of, NO_ADAPTER)] if no_adapter else []
    return found + [_variant(of, RELEARNED, data, count) for data in relearn for count in samples if count]


def _variant(of: str, kind: str, data: str = "", amount: float = 0) -> Variant:
    told = f"{data} {amount}" if kind == RELEARNED else f"{kind} {amount:g}" if kind == TEMPERATURE else kind
    return Variant(model=f"{of} + {told}", of=of, kind=kind, data=data, amount=float(amount))


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


def base_alone(model: str | Path) -> str:
    """Return the path or hub id of the base model of an adapter, or of a model with a merged and saved adapter.

    Anyone with the adapter files can load the base model without them, which removes the alignment.

    Raises:
        UserError: the directory has no adapter, or the adapter does not name its base model.
    """
    folder = Path(model)
    if is_adapter(folder):
        return base_of(folder)
    if (folder / ADAPTER_FOLDER / ADAPTER_CONFIG).is_file():
        return base_of(folder / ADAPTER_FOLDER)
    raise UserError(f"model '{model}': no adapter found; valid: a directory of `unmirage align --lora`")
