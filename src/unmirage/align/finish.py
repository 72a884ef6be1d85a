"""Turn trained weights into the final model: merge the adapter or subtract the task vector, and restore dtypes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig
from torch import Tensor, nn

from unmirage.align.config import AlignConfig
from unmirage.align.lora import scale_adapter, set_checkpointing
from unmirage.align.methods.sft import TaskVector
from unmirage.align.objective import Method, freeze
from unmirage.models.adapters import adapter_layers, merge_adapter

Adapter = tuple[LoraConfig, dict[str, Tensor]]


@dataclass(frozen=True, slots=True)
class Start:
    """State of the model before training.

    Attributes:
        dtype: dtype of its weights.
        weights: start of the task vector; empty for other methods, and with an adapter.
    """

    dtype: torch.dtype
    weights: dict[str, Tensor]

    @classmethod
    def of(cls, model: Any, method: Method, dtype: torch.dtype) -> Start:
        """Return the state, after the trainable weights are chosen."""
        if not method.negates or adapter_layers(model):
            return cls(dtype, {})
        trains = ((name, one) for name, one in model.named_parameters() if one.requires_grad)
        return cls(dtype, {name: one.detach().clone() for name, one in trains})


def finish(model: Any, method: Method, start: Start, config: AlignConfig, adapter: LoraConfig | None) -> Adapter | None:
    """Turn the trained `model`, in place, into one that can be evaluated and saved.

    A task vector is subtracted, and an adapter is merged.

    Returns:
        The adapter alone, with tensor names as in peft's files; None without one.
    """
    if isinstance(method, TaskVector):
        _negate(model, start, method.config.scale)
    kept = None if adapter is None else (adapter, adapter_tensors(model))
    merge_adapter(model)
    set_checkpointing(model, 0)
    freeze(model)
    model.to({"auto": start.dtype, "float32": torch.float32, "bfloat16": torch.bfloat16}[config.save_dtype])
    return kept


def _negate(model: Any, start: Start, scale: float) -> None:
    """theta = theta_0 - scale * (theta - theta_0)."""
    scale_adapter(model, -scale)
    with torch.no_grad():
        for name, first in start.weights.items():
            parameter = model.get_parameter(name)
            parameter.copy_(first - scale * (parameter - first))


def adapter_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the matrices of the model's adapter, with names as in peft's files."""
    tensors = {}
    for name, layer in adapter_layers(model).items():
        sides: dict[str, Any] = {"lora_A": layer.lora_A, "lora_B": layer.lora_B}
        for side, matrices in sides.items():
            tensors[f"base_model.model.{name}.{side}.weight"] = matrices["default"].weight.detach().cpu().contiguous()
    return tensors
