"""Merge LoRA adapters: one in memory, or one loaded from its directory, which must fit its base model exactly."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from unmirage.errors import UserError, one_line
from unmirage.models.adapter_names import renamed, renamed_modules
from unmirage.models.bases import check_type, trained_beside
from unmirage.models.folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS, some
from unmirage.run.files import read_object

# Settings that may differ from peft's default. Any other setting trains more than is merged here, or runs more code.
_PLAIN = frozenset({
    "r", "lora_alpha", "target_modules", "exclude_modules", "use_rslora", "rank_pattern", "alpha_pattern",
    "layers_to_transform", "layers_pattern", "fan_in_fan_out", "modules_to_save", "use_dora",
})  # fmt: skip
# Settings of the training run only: they do not affect the merged weights.
_IGNORED = frozenset({
    "peft_type", "peft_version", "task_type", "base_model_name_or_path", "revision", "inference_mode", "lora_dropout",
    "init_lora_weights", "auto_mapping", "megatron_core",
})  # fmt: skip
_TRAINED_BESIDE = "non_lora_trainables.bin"
# Initializations that start from the base's weights and also change those weights.
_MOVED_BASE = ("pissa", "olora", "corda", "eva", "loftq", "lora_ga")


def add_product(weight: Tensor, down: Tensor, up: Tensor, scale: float) -> Tensor:
    """Return W + s B A, computed in float32 and rounded once, to the dtype of W.

    Args:
        weight: W, (outputs, inputs).
        down: A, (rank, inputs).
        up: B, (outputs, rank).
        scale: s, which is alpha / rank, or alpha / sqrt(rank) for rank-stabilized LoRA.
    """
    return (up.float() @ down.float()).mul_(scale).add_(weight.float()).to(weight.dtype)


def stretched(weight: Tensor, down: Tensor, up: Tensor, scale: float, lengths: Tensor) -> Tensor:
    """Return DoRA's weight: W + s B A with rows of these lengths, computed in float32 and rounded once.

    Args:
        weight, down, up, scale: as for `add_product`.
        lengths: (outputs).
    """
    whole = add_product(weight.float(), down, up, scale)
    return whole.mul_((lengths.float() / whole.norm(dim=1))[:, None]).to(weight.dtype)


def adapter_layers(model: nn.Module) -> dict[str, LoraLayer]:
    """Return the modules of `model` with an adapter, by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}


@torch.no_grad()
def merge_adapter(model: nn.Module) -> None:
    """Add the adapter to the weights of linear modules, in place, and remove it, so that plain modules remain.

    Raises:
        UserError: a merged weight has NaN or Inf values.
    """
    for name, layer in adapter_layers(model).items():
        linear = layer.get_base_layer()
        sides: tuple[Any, Any] = (layer.lora_A, layer.lora_B)
        if not isinstance(linear, nn.Linear) or ".base_layer." in name:
            continue  # an embedding, a convolution or attention in one module: peft merges these in `merge_into`
        down, up = (matrices["default"].weight for matrices in sides)
        lengths: Any = layer.lora_magnitude_vector
        if "default" in lengths:
            linear.weight.data = stretched(linear.weight, down, up, layer.scaling["default"], lengths["default"].weight)
        else:
            linear.weight.data = add_product(linear.weight, down, up, layer.scaling["default"])
        if not torch.isfinite(linear.weight).all():
            raise UserError(f"{name}: the merged weight has NaN or Inf values; use a smaller learning rate or scale")
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, linear)


def merge_into(model: Any, folder: Path) -> Any:
    """Return `model` with the adapter of `folder` added to its weights.

    Raises:
        UserError: the adapter is not plain LoRA, is not in safetensors, or does not fit this model exactly.
    """
    config, tensors = _config(folder), _tensors(folder)
    file, beside = folder / ADAPTER_WEIGHTS, trained_beside(folder, model)
    check_type(folder, model)
    older = renamed_modules(model, tensors)
    if older is not None:
        config.target_modules, config.modules_to_save = older
    try:
        with warnings.catch_warnings(), _as_named(model, tensors):
            # peft reads a property by the name that older versions of transformers used.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            warnings.filterwarnings("error", "Model has `tie_word_embeddings=True`", UserWarning)
            adapted = PeftModel(model, config)
    except UserWarning as warning:
        raise UserError(
            f"{folder / ADAPTER_CONFIG}: the adapter trains one of two layers that share a weight in the base, so it "
            "cannot be merged; use an adapter that leaves out embeddings and output layer"
        ) from warning
    except ValueError as error:  # the base has no such modules
        raise UserError(f"{folder / ADAPTER_CONFIG}: does not fit the base: {one_line(error)}") from error
    expected = get_peft_model_state_dict(adapted)
    tensors = renamed(file, tensors, expected)
    _check(file, tensors, expected)
    for name, parameter in adapted.named_parameters():
        if ".lora_" in name:
            parameter.data = parameter.data.float()  # merge in float32, so that the sum is rounded only once
    set_peft_model_state_dict(adapted, tensors)
    merge_adapter(adapted)
    merged: Any = adapted.merge_and_unload()
    merged.requires_grad_(False)
    for name, tensor in beside.items():
        merged.get_parameter(name).copy_(tensor)
    if hasattr(merged, "peft_config"):
        del merged.peft_config  # otherwise the library saves only the adapter
    return merged


@contextmanager
def _as_named(model: Any, tensors: dict[str, Tensor]) -> Iterator[None]:
    """Hide the model's type from peft if the adapter is for layers that the model has.

    peft takes names of dense layers for those of experts in older releases of some types (GLM-4.5V).
    """
    linear = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    named = {key.removeprefix("base_model.model.").partition(".lora_")[0] for key in tensors}
    if not named <= linear or "model_type" in vars(model.config):
        yield
        return
    model.config.model_type = ""
    try:
        yield
    finally:
        del model.config.model_type


def _config(folder: Path) -> LoraConfig:
    file = folder / ADAPTER_CONFIG
    held = read_object(file)
    if held.get("peft_type") != "LORA":
        raise UserError(f"{file}: peft_type is {held.get('peft_type')!r}; valid: LORA")
    start = held.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(_MOVED_BASE):
        raise UserError(
            f"{file}: init_lora_weights is '{start}', which also changes the base's weights; use plain LoRA"
        )
    defaults: dict[str, Any] = {field.name: getattr(LoraConfig(), field.name) for field in fields(LoraConfig)}
    for name, value in held.items():
        known = name in _PLAIN or name in _IGNORED
        if not known and value and value != defaults.get(name):
            raise UserError(f"{file}: {name} is {value!r}, which cannot be merged; use plain LoRA")
    try:
        return LoraConfig(**{name: held[name] for name in _PLAIN if name in held})
    except (TypeError, ValueError) as error:
        raise UserError(f"{file}: cannot be read: {one_line(error)}") from error


def _tensors(folder: Path) -> dict[str, Tensor]:
    file, other = folder / ADAPTER_WEIGHTS, folder / _TRAINED_BESIDE
    if other.is_file():
        raise UserError(
            f"{other}: LLaVA's own code trained these weights besides the adapter; run `unmirage convert` first"
        )
    if not file.is_file():
        if (folder / "adapter_model.bin").is_file():
            raise UserError(
                f"adapter '{folder}': has only adapter_model.bin, a pickle, which is never loaded. If you trust it, "
                "PeftModel.from_pretrained(base, folder).save_pretrained(folder) converts it to safetensors"
            )
        raise UserError(f"adapter '{folder}': {ADAPTER_WEIGHTS} is missing; download the adapter again")
    try:
        held: dict[str, Tensor] = load_file(file)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file}: file is corrupt or truncated ({one_line(error)}); download it again") from error
    return held


def _check(file: Path, tensors: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Check that names and shapes match exactly: an adapter without one of its matrices is a different adapter."""
    missing, more = expected.keys() - tensors.keys(), tensors.keys() - expected.keys()
    if missing:
        raise UserError(f"{file}: tensors are missing: {some(missing)}; {ADAPTER_CONFIG} requires them for this base")
    if more:
        raise UserError(
            f"{file}: the base has no layers for {some(more)}; use the base that the adapter was trained on"
        )
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise UserError(
                f"{file}: {name} has shape {list(tensor.shape)}; "
                f"valid for this base and r: {list(expected[name].shape)}"
            )
        if not torch.isfinite(tensor).all():
            raise UserError(f"{file}: {name} has NaN or Inf values; download it again or retrain the adapter")
