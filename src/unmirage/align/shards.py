"""Gather a sharded model on the main process."""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib import import_module
from typing import Any

from torch import Tensor, nn

Gather = Callable[[nn.Parameter], Tensor]


class Whole:
    """What a model is beside its weights, taken before it is cut: sharding changes its modules for good.

    Args:
        model: the model as it trains, with its adapter.
    """

    def __init__(self, model: nn.Module) -> None:
        self._names = [name for name, _ in model.named_parameters()]
        # Parameters that the copy meets stand for themselves without memory; two names of one stay one.
        known: dict[int, Any] = {
            id(one): nn.Parameter(one.detach().to("meta"), one.requires_grad) for one in model.parameters()
        }
        self._model = copy.deepcopy(model, known)

    def filled(self, model: nn.Module, gather: Gather, *, keeps: bool) -> nn.Module:
        """Return a whole model with the weights of the sharded `model`; all processes must call it together.

        Args:
            model: what training left.
            gather: returns all of a parameter of which each process holds a part.
            keeps: this process wants it, in main memory; else its model stays empty.
        """
        sharded = dict(model.named_parameters())
        filled: dict[int, nn.Parameter] = {}
        for name in self._names:
            whole = gather(sharded[name])  # everybody takes part, whoever keeps it
            if keeps:
                empty = self._model.get_parameter(name)
                # Taken from the device one by one, so that it never holds shards and the whole at once.
                filled[id(empty)] = nn.Parameter(whole.detach().to("cpu", empty.dtype, copy=True), empty.requires_grad)
            del whole
        for module in self._model.modules():
            for name, parameter in module._parameters.items():
                if parameter is not None and id(parameter) in filled:
                    module._parameters[name] = filled[id(parameter)]
        return self._model


def gather_fsdp(parameter: nn.Parameter) -> Tensor:
    """Return all of a parameter that FSDP2 holds in shards."""
    held: Any = parameter
    whole: Tensor = held.full_tensor()
    return whole


def gather_zero(parameter: nn.Parameter) -> Tensor:
    """Return all of a parameter that DeepSpeed holds; of one that trains, the float32 weights of its optimiser."""
    deepspeed: Any = import_module("deepspeed")  # no dependency of ours: whoever launches with it has it
    if parameter.requires_grad:
        whole: Tensor = deepspeed.utils.safe_get_full_fp32_param(parameter)
        return whole
    with deepspeed.zero.GatheredParameters([parameter]):
        return parameter.detach().clone()
