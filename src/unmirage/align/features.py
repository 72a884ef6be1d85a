"""Cache the image features of a frozen vision tower, and pass them to the model instead of recomputing them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPooling

from unmirage.align.forward import PassBatch, first_layers
from unmirage.models.families import last_hidden, vision_layer, vision_output


def can_be_kept(model: Any) -> bool:
    """Tell whether the vision tower is a separate, frozen module of which the projector reads one layer."""
    tower = vision_output(model)
    if tower is None or not isinstance(vision_layer(model), int | None):
        return False
    return not any(parameter.requires_grad for parameter in tower.parameters())


@torch.no_grad()
def look(model: Any, batch: PassBatch) -> Tensor:
    """Return (tiles, tokens, width): the projector's input for the batch's pictures."""
    tower = vision_output(model)
    assert tower is not None
    seen: list[Tensor] = []

    def capture(_module: Any, _arguments: Any, output: Any) -> None:
        layer = vision_layer(model)
        seen.append(output.last_hidden_state if layer is None else output.hidden_states[layer])

    with tower.register_forward_hook(capture), first_layers(model, 1):
        last_hidden(model, batch.inputs)
    return seen[0]


@contextmanager
def shown(model: Any, features: Tensor | None) -> Iterator[None]:
    """Make the vision tower return `features` (tiles, tokens, width) without computing; None changes nothing."""
    if features is None:
        yield
        return
    tower: Any = vision_output(model)
    held = BaseModelOutputWithPooling(
        last_hidden_state=features, hidden_states=_Always(features) if vision_layer(model) is not None else None
    )
    tower.forward = lambda *_, **__: held
    try:
        yield
    finally:
        del tower.forward


class _Always(tuple[Tensor, ...]):
    """Replaces the tuple of all hidden states of a tower: every index returns the one cached layer."""

    __slots__ = ()

    def __new__(cls, features: Tensor) -> _Always:
        return super().__new__(cls, (features,))

    def __getitem__(self, layer: Any) -> Any:
        return super().__getitem__(0)
