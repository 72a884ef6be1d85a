"""Hold matrices in 4 bits (QLoRA, Dettmers et al., arXiv 2305.14314), by bitsandbytes on a GPU."""

from __future__ import annotations

from collections.abc import Collection
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from transformers import BitsAndBytesConfig

from unmirage.errors import UserError

PACKAGE = "bitsandbytes"


def check_bitsandbytes(setting: str, *, gpu: bool) -> None:
    """Raise `UserError` if this machine cannot do what a setting needs bitsandbytes for.

    Args:
        setting: the setting and its value, for the message.
        gpu: whether the training uses a GPU of CUDA.
    """
    if not gpu:
        raise UserError(f"{setting}: needs a GPU of CUDA, and this training has none; leave it out, or train on one")
    if find_spec(PACKAGE) is None:
        raise UserError(f"{setting}: needs bitsandbytes, which is not installed (pip install {PACKAGE})")


def four_bits(model: Any, adapted: Collection[str], device: torch.device) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` that hold some linear modules in 4 bits, and the rest in bfloat16.

    Args:
        model: the model, or its skeleton without weights.
        adapted: names of the modules.
        device: where the weights go.
    """
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
            llm_int8_skip_modules=[name for name in linear if name not in set(adapted)],
        ),
        "device_map": {"": device},
        "dtype": torch.bfloat16,
    }


def is_in_four_bits(model: Any) -> bool:
    """Return whether some matrices of a model are held in 4 bits."""
    return bool(getattr(model, "is_loaded_in_4bit", False))
