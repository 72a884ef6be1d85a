"""Choose which weights are trained, and add LoRA adapters in place."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn
from torch.utils.checkpoint import checkpoint

from unmirage.align.config import AlignConfig, LoraSettings
from unmirage.align.parts import PARTS, down_layers, modes, owners, trains
from unmirage.align.processes import on_gpu
from unmirage.errors import UserError
from unmirage.models.adapters import adapter_layers
from unmirage.models.families import (
    decoder_layers,
    down_projections,
    lora_targets,
    part_of,
    set_part_names,
    set_trainable,
)
from unmirage.models.logits import logit_rule
from unmirage.models.quantized import is_in_four_bits

log = logging.getLogger(__name__)


def add_adapter(
    model: Any, settings: LoraSettings, targets: Sequence[str], entries: Mapping[str, str] | None = None
) -> LoraConfig:
    """Add an adapter to the linear modules `targets` of `model`, in place; only the adapter requires gradients.

    It starts with no effect (B = 0); A is drawn from torch's global generator.

    Args:
        model: the model.
        settings: ranks and alphas; an entry with its own rank only keeps alpha / rank.
        targets: names of modules.
        entries: entry of `trainable` by module.

    Raises:
        UserError: there are no targets, for example if the projector is a single bare matrix (Gemma3's).
    """
    if not targets:
        raise UserError("lora: no trainable part of this model has a linear module; add 'language' to trainable")
    ranks = {name: settings.ranks.get(entry, settings.rank) for name, entry in (entries or {}).items()}
    scale = settings.alpha / settings.rank
    alphas = {
        name: settings.alphas.get(entry, settings.alpha if ranks[name] == settings.rank else scale * ranks[name])
        for name, entry in (entries or {}).items()
    }
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]  # peft accepts any number
        lora_dropout=settings.dropout,
        target_modules=list(targets),
        bias="none",
        use_rslora=settings.rslora,
        use_dora=settings.dora,
        rank_pattern={name: rank for name, rank in ranks.items() if rank != settings.rank},
        alpha_pattern={name: alpha for name, alpha in alphas.items() if alpha != settings.alpha},
    )
    model.requires_grad_(False)
    inject_adapter_in_model(config, _Holder(model) if _experts(model, PARTS) else model)
    return config


class _Holder(nn.Module):
    """Hides the model's type from peft, which takes names of dense layers for those of experts in older releases."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.held = model
        self.is_loaded_in_4bit = getattr(model, "is_loaded_in_4bit", False)


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


def scale_adapter(model: nn.Module, factor: float) -> None:
    """Multiply the update of the adapter by `factor`."""
    for layer in adapter_layers(model).values():
        matrix: Any = layer.lora_B["default"]
        matrix.weight.data.mul_(factor)


def choose_trainable(model: Any, config: AlignConfig) -> LoraConfig | None:
    """Make only the weights in `config` require gradients, in float32; return the adapter's settings, if there is one.

    bfloat16 weights would lose updates below their precision: at a learning rate of 5e-7, nearly all of them.

    Raises:
        UserError: the config has a layer that the model lacks.
    """
    bits = None if config.lora is None else config.lora.bits
    if is_in_four_bits(model) != (bits == 4) and not next(model.parameters()).is_meta:
        held = "is held in 4 bits" if bits is None else "is not held in 4 bits"
        raise UserError(f"lora.bits: is {bits}, but the model {held}; load it for this training with `unmirage.align`")
    if arithmetic(config) is torch.float32:
        if bits:
            raise UserError("lora.bits: 4 needs bfloat16 arithmetic; leave out precision float32")
        model.float()  # frozen weights too, because layers cannot multiply float32 by bfloat16
    set_part_names(model, config.part_names)
    logit_rule(model)  # measured before the weights are sharded, and before anything is counted
    choice = _Choice(model, config)
    adapter = None
    if config.lora is not None:
        experts = _experts(model, [part for part, mode in modes(config).items() if mode == "lora"])
        if experts:
            log.info("lora: %d tensors of experts get no adapter, only the layers around them", experts)
        adapter = add_adapter(model, config.lora, choice.adapted, {name: choice.entry(name) for name in choice.adapted})
    for parameter in choice.full:
        parameter.requires_grad_(True)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return adapter


def adapted_modules(model: Any, config: AlignConfig) -> list[str]:
    """Return the names of the linear modules that get adapters; the model's parameters require gradients afterwards.

    Raises:
        UserError: the config has a part, a layer or a module that the model lacks.
    """
    set_part_names(model, config.part_names)
    return _Choice(model, config).adapted


class _Choice:
    """The modules that get adapters, and the parameters that are trained themselves.

    Attributes:
        adapted: names of linear modules.
        full: parameters; the model's are frozen except these.
    """

    def __init__(self, model: nn.Module, config: AlignConfig) -> None:
        found = modes(config)
        parts = {name: mode for name, mode in found.items() if not down_layers(name) and mode != "frozen"}
        self._owner = owners(model, found)
        saved = _saved_modules(model, () if config.lora is None else config.lora.modules_to_save)
        _check_frozen(model, saved, config)
        set_trainable(model, [name for name, mode in parts.items() if mode == "full"])
        targets = lora_targets(model, [name for name, mode in parts.items() if mode == "lora"])
        for entry in found:
            for name in down_projections(model, down_layers(entry)):
                module = name.removesuffix(".weight")
                model.get_parameter(name).requires_grad_(found[entry] == "full")
                targets = [one for one in targets if one != module] + [module] * (found[entry] == "lora")
        for module in saved:
            model.get_submodule(module).requires_grad_(True)
        self.adapted = [name for name in targets if not any(f"{name}.".startswith(f"{one}.") for one in saved)]
        self.full = [parameter for parameter in model.parameters() if parameter.requires_grad]
        having = {self.entry(name) for name in self.adapted}
        for part, mode in parts.items():
            if mode == "lora" and having and part not in having:
                self._say_bare(part, config)

    def entry(self, module: str) -> str:
        """Return the entry of `trainable` that decides on a linear module."""
        return self._owner(f"{module}.weight")

    def _say_bare(self, part: str, config: AlignConfig) -> None:
        """Say that a part has nothing to adapt: an error if it was asked for by name."""
        what = f"lora: the {part} of this model has no linear module that could get an adapter"
        if isinstance(config.trainable, Mapping):
            raise UserError(f"{what}; write {part}: full, or {part}: frozen")
        log.warning("%s; it stays frozen", what)


def _saved_modules(model: nn.Module, ends: Sequence[str]) -> list[str]:
    """Return the modules whose names end with one of `ends`, as peft finds its `modules_to_save`.

    Raises:
        UserError: no module has such a name, or a found one has no weights.
    """
    names = [name for name, _ in model.named_modules() if name]
    for end in ends:
        found = [name for name in names if name.endswith(end)]
        if not end or not any(True for name in found for _ in model.get_submodule(name).parameters()):
            tops = sorted({name.rpartition(".")[2] for name in names if not name.rpartition(".")[2].isdigit()})
            raise UserError(
                f"lora.modules_to_save: no module with weights has a name that ends with '{end}'; "
                f"names end with {', '.join(tops[:20])}"
            )
    return [name for name in names if name.endswith(tuple(ends))] if ends else []


def _check_frozen(model: Any, saved: Sequence[str], config: AlignConfig) -> None:
    """Raise `UserError` if a module to train fully is in a part that a mapping freezes; for a list of parts, say so."""
    reached: dict[str, str] = {}
    for module in saved:
        for name, _ in model.get_submodule(module).named_parameters(module):
            part = part_of(model, name)
            if part in PARTS and not trains(config, part):
                reached.setdefault(part, module)
    for part, module in reached.items():
        if isinstance(config.trainable, Mapping):
            raise UserError(
                f"lora.modules_to_save: '{module}' is in {part}, which is frozen; give more of the names that you "
                f"mean, or write {part}: full"
            )
        log.warning("lora.modules_to_save: modules of the part %s are trained too, such as '%s'", part, module)


def _experts(model: Any, parts: Sequence[str]) -> int:
    """Return the number of tensors in which the library keeps the matrices of several experts."""
    return sum(
        parameter.dim() == 3 and "expert" in name and part_of(model, name) in parts
        for name, parameter in model.named_parameters()
    )


def set_checkpointing(model: Any, share: float) -> None:
    """Use gradient checkpointing for the first `share` of the decoder layers.

    A share of 0 switches it off on all layers.
    """
    layers: Any = decoder_layers(model)
    for number, layer in enumerate(layers):
        # `gradient_checkpointing_enable` sets this on all layers; its name changes between versions.
        layer.gradient_checkpointing = number < math.ceil(share * len(layers))
        layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)


def arithmetic(config: AlignConfig) -> torch.dtype:
    """Return the dtype of the model's computation."""
    if config.precision == "auto":
        return torch.bfloat16 if on_gpu() else torch.float32
    return torch.bfloat16 if config.precision == "bfloat16" else torch.float32
