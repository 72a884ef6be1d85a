"""Add LoRA adapters to a VLM in place, disable them for the reference, and merge them after training."""

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
    """Add an adapter to the linear modules `targets` of `model`, in place; only the adapter requires gradients.

    It starts with no effect (B = 0); A is drawn from torch's global generator.

    Raises:
        UserError: there are no targets, for example if the projector is a single bare matrix (Gemma3's).
    """
    if not targets:
        raise UserError("lora: no trainable part of this model has a linear module; add 'language' to trainable")
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]  # peft accepts any number
        lora_dropout=settings.dropout,
        target_modules=list(targets),
        bias="none",
    )
    model.requires_grad_(False)
    inject_adapter_in_model(config, model)
    return config


def adapter_layers(model: nn.Module) -> dict[str, LoraLayer]:
    """Return the modules of `model` with an adapter, by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}


@contextmanager
def adapter_off(model: nn.Module) -> Iterator[None]:
    """Disable the adapter of `model` inside the block."""
    layers = list(adapter_layers(model).values())
    trains = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)
        # peft sets requires_grad when it disables and enables adapters; restore the earlier state.
        for parameter in trains:
            parameter.requires_grad_(True)


def merge_adapter(model: nn.Module) -> None:
    """Add the adapter to the weights and remove it, so that plain modules remain."""
    for name, layer in adapter_layers(model).items():
        layer.merge(safe_merge=True)
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, layer.get_base_layer())


def scale_adapter(model: nn.Module, factor: float) -> None:
    """Multiply the update of the adapter by `factor`."""
    for layer in adapter_layers(model).values():
        matrix: Any = layer.lora_B["default"]
        matrix.weight.data.mul_(factor)
