"""Gather a sharded model on the main process."""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib import import_module
from typing import Any

from torch import Tensor, nn

Gather = Callable[[nn.Parameter], Tensor]


class Whole:
    """The structure of a model, copied before sharding changes its modules permanently.

    Args:
        model: the model in training, with its adapter.
    """

    def __init__(self, model: nn.Module) -> None:
        self._names = [name for name, _ in model.named_parameters()]
        # The copy keeps parameter objects without their memory; tied parameters stay tied.
        known: dict[int, Any] = {
            id(one): nn.Parameter(one.detach().to("meta"), one.requires_grad) for one in model.parameters()
        }
        self._model = copy.deepcopy(model, known)

    def filled(self, model: nn.Module, gather: Gather, *, keeps: bool) -> nn.Module:
        """Return a whole model with the weights of the sharded `model`; all processes must call it together.

        Args:
            model: the trained model.
            gather: returns a whole parameter from the shards of all processes.
            keeps: True if this process keeps the weights, in main memory; else its model stays empty.
        """
        sharded = dict(model.named_parameters())
        filled: dict[int, nn.Parameter] = {}
        for name in self._names:
            whole = gather(sharded[name])  # collective call: all processes must take part
            if keeps:
                empty = self._model.get_parameter(name)
                # Copied from the device one by one, so that it never holds the shards and the whole model at once.
                filled[id(empty)] = nn.Parameter(whole.detach().to("cpu", empty.dtype, copy=True), empty.requires_grad)
            del whole
        for module in self._model.modules():
            for name, parameter in module._parameters.items():
                if parameter is not None and id(parameter) in filled:
                    module._parameters[name] = filled[id(parameter)]
        return self._model


def gather_fsdp(parameter: nn.Parameter) -> Tensor:
    """Return the whole of a parameter that FSDP2 has sharded."""
    held: Any = parameter
    whole: Tensor = held.full_tensor()
    return whole


def gather_zero(parameter: nn.Parameter) -> Tensor:
    """Return the whole of a DeepSpeed parameter; for a trained one, the optimizer's float32 weights."""
    deepspeed: Any = import_module("deepspeed")  # not our dependency; runs under DeepSpeed have it
    if parameter.requires_grad:
        whole: Tensor = deepspeed.utils.safe_get_full_fp32_param(parameter)
        return whole
    with deepspeed.zero.GatheredParameters([parameter]):
        return parameter.detach().clone()
