"""Low-rank adapters put into a VLM in place, switched off for the reference, and merged into the weights in the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import nn

from unmirage.align.config import LoraSettings
from unmirage.errors import UserError


def add_adapter(model: Any, settings: LoraSettings, targets: Sequence[str]) -> LoraConfig:
    """Put an adapter on the linear modules `targets` of `model`, in place; only the adapter requires gradients.

    It starts as no change at all (B = 0), drawn from torch's global generator.

    Raises:
        UserError: there are no targets, as in a projector that is one bare matrix (Gemma3's).
    """
    if not targets:
        raise UserError("lora: no trainable part has a linear module in this model; valid: with 'language' among them")
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]  # any number scales
        lora_dropout=settings.dropout,
        target_modules=list(targets),
        bias="none",
    )
    model.requires_grad_(False)
    inject_adapter_in_model(config, model)
    return config


def adapter_layers(model: nn.Module) -> dict[str, LoraLayer]:
    """Return the modules of `model` that hold an adapter, by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}


@contextmanager
def adapter_off(model: nn.Module) -> Iterator[None]:
    """Let `model` answer as it did before it had an adapter."""
    layers = list(adapter_layers(model).values())
    trains = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)
        # peft freezes what it switches off and thaws what it switches on, whatever it was before.
        for parameter in trains:
            parameter.requires_grad_(True)


def merge_adapter(model: nn.Module) -> None:
    """Add the adapter to the weights and take it out, so that plain modules remain."""
    for name, layer in adapter_layers(model).items():
        layer.merge(safe_merge=True)
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, layer.get_base_layer())


def scale_adapter(model: nn.Module, factor: float) -> None:
    """Multiply the change that the adapter makes by `factor`."""
    for layer in adapter_layers(model).values():
        matrix: Any = layer.lora_B["default"]
        matrix.weight.data.mul_(factor)
