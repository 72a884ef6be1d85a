"""From weights that train to the model that is kept: what was learnt is negated or merged, and types are restored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig
from torch import Tensor, nn

from unmirage.align.config import AlignConfig
from unmirage.align.lora import adapter_layers, merge_adapter, scale_adapter
from unmirage.align.methods.task_vector import TaskVector
from unmirage.align.objective import Method, freeze
from unmirage.align.trainable import set_checkpointing

Adapter = tuple[LoraConfig, dict[str, Tensor]]


@dataclass(frozen=True, slots=True)
class Start:
    """What must be known of the model before it trains.

    Attributes:
        dtype: of its weights.
        weights: those that a task vector is measured from; empty for other methods, and with an adapter.
    """

    dtype: torch.dtype
    weights: dict[str, Tensor]

    @classmethod
    def of(cls, model: Any, method: Method, dtype: torch.dtype) -> Start:
        """Return it, once it is chosen what trains."""
        if not method.negates or adapter_layers(model):
            return cls(dtype, {})
        trains = ((name, one) for name, one in model.named_parameters() if one.requires_grad)
        return cls(dtype, {name: one.detach().clone() for name, one in trains})


def finish(model: Any, method: Method, start: Start, config: AlignConfig, adapter: LoraConfig | None) -> Adapter | None:
    """Turn the trained `model`, in place, into one that is ready to be asked and saved.

    Args:
        model: as training left it.
        method: a task vector is subtracted.
        start: what it was before.
        config: settings of the run.
        adapter: settings of its adapter, which is merged; None without one.

    Returns:
        The adapter by itself, its tensors named as peft names them in files.
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
    """Return the matrices of the model's adapter by the names that peft gives them in a file."""
    tensors = {}
    for name, layer in adapter_layers(model).items():
        sides: dict[str, Any] = {"lora_A": layer.lora_A, "lora_B": layer.lora_B}
        for side, matrices in sides.items():
            tensors[f"base_model.model.{name}.{side}.weight"] = matrices["default"].weight.detach().cpu().contiguous()
    return tensors
