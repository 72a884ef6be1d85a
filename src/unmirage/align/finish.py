"""Turn trained weights into the final model: merge the adapter or subtract the task vector, and restore dtypes."""

from __future__ import annotations

from collections import Counter
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
from unmirage.models.quantized import is_in_four_bits
from unmirage.run.model import PEFT_PREFIX

Adapter = tuple[LoraConfig, dict[str, Tensor]]


@dataclass(frozen=True, slots=True)
class Start:
    """State of the model before training.

    Attributes:
        dtype: dtype of its weights.
        weights: start of the task vector, without adapters; empty for other methods.
    """

    dtype: torch.dtype
    weights: dict[str, Tensor]

    @classmethod
    def of(cls, model: Any, method: Method, dtype: torch.dtype) -> Start:
        """Return the state, after the trainable weights are chosen."""
        if not method.negates:
            return cls(dtype, {})
        return cls(dtype, {name: one.detach().clone() for name, one in full_weights(model).items()})


def full_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the trained parameters that are not an adapter's, by name."""
    named = model.named_parameters()
    return {name: one for name, one in named if one.requires_grad and ".lora_" not in name}


def finish(model: Any, method: Method, start: Start, config: AlignConfig, adapter: LoraConfig | None) -> Adapter | None:
    """Turn the trained `model`, in place, into one that can be evaluated and saved.

    A task vector is subtracted, and an adapter is merged, unless the model is held in 4 bits.

    Returns:
        The adapter alone, with tensor names as in peft's files; None without one.
    """
    if isinstance(method, TaskVector):
        _negate(model, start, method.config.scale)
    kept = None
    if adapter is not None:
        tensors = adapter_tensors(model)
        saved, full = full_tensors(model)
        adapter.modules_to_save = saved or None
        kept = (adapter, tensors | full)
    set_checkpointing(model, 0)
    freeze(model)
    if is_in_four_bits(model):
        return kept  # a sum with W is not exact in 4 bits, so the adapter stays beside it
    merge_adapter(model)
    dtype = {"auto": start.dtype, "float32": torch.float32, "bfloat16": torch.bfloat16}[config.save_dtype]
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():  # `model.to` would take the imaginary part of Llama 4's rotations
            tensor.data = tensor.data.to(dtype)
    return kept


def _negate(model: Any, start: Start, scale: float) -> None:
    """theta = theta_0 - scale * (theta - theta_0)."""
    scale_adapter(model, -scale)
    with torch.no_grad():
        for name, first in start.weights.items():
            parameter = model.get_parameter(name)
            parameter.copy_(first - scale * (parameter - first))


def adapter_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the matrices of the model's adapter, and DoRA's lengths, with names as in peft's files."""
    tensors = {}
    for name, layer in adapter_layers(model).items():
        sides: dict[str, Any] = {
            "lora_A.weight": layer.lora_A,
            "lora_B.weight": layer.lora_B,
            "lora_magnitude_vector": layer.lora_magnitude_vector,
        }
        for side, held in sides.items():
            if "default" in held:
                tensors[f"{PEFT_PREFIX}{name}.{side}"] = _plain(held["default"].weight)
    return tensors


def full_tensors(model: nn.Module) -> tuple[list[str], dict[str, Tensor]]:
    """Return the modules that peft saves whole, and all fully trained tensors beside an adapter.

    peft's `modules_to_save` names modules whose weights are all trained. Their tensors have names as in peft's files.
    Other tensors have the names of the model: bare parameters beside other modules, biases of adapted layers, and
    weights that two modules share.
    """
    left = full_weights(model)
    shared = Counter(id(one) for module in model.modules() for one in module._parameters.values() if one is not None)
    modules, tensors = list[str](), dict[str, Tensor]()
    names = [name for name, _ in model.named_modules()]
    for name, module in model.named_modules():
        own = {f"{name}.{key}" for key, _ in module.named_parameters()}
        whole = (
            bool(name and own) and own <= left.keys() and not any(f"{name}.".startswith(f"{one}.") for one in modules)
        )
        alone = not isinstance(module, _CONTAINERS) and [one for one in names if one.endswith(name)] == [name]
        if whole and alone and all(shared[id(one)] == 1 for one in module.parameters()):
            modules.append(name)
            tensors |= {f"{PEFT_PREFIX}{name}.{key}": _plain(one) for key, one in module.state_dict().items()}
    inside = tuple(f"{name}." for name in modules)
    rest = {name.replace(".base_layer.", "."): _plain(one) for name, one in left.items() if not name.startswith(inside)}
    return modules, tensors | rest


_CONTAINERS = (nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)  # peft does not wrap these


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True).contiguous()
