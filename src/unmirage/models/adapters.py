"""A directory of a LoRA adapter in, the model it was trained on with the adapter merged out: all of it, or an error."""

from __future__ import annotations

import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from unmirage.errors import UserError
from unmirage.models.folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS, one_line, some
from unmirage.run.json_files import read_object

# What may be other than peft's default. Everything else either trains more than is added here, or runs more code.
_PLAIN = frozenset({
    "r", "lora_alpha", "target_modules", "exclude_modules", "use_rslora", "rank_pattern", "alpha_pattern",
    "layers_to_transform", "layers_pattern", "fan_in_fan_out", "modules_to_save",
})  # fmt: skip
# What says nothing about the merged weights: how they were trained, and by what.
_IGNORED = frozenset({
    "peft_type", "peft_version", "task_type", "base_model_name_or_path", "revision", "inference_mode", "lora_dropout",
    "init_lora_weights", "auto_mapping", "megatron_core",
})  # fmt: skip
_TRAINED_BESIDE = "non_lora_trainables.bin"
# Drawn from the base's weights, which are changed for it.
_MOVED_BASE = ("pissa", "olora", "corda", "eva", "loftq", "lora_ga")


def base_of(folder: Path) -> str:
    """Return the base of an adapter: the path of a directory, or the hub id that the adapter names.

    A relative path is looked for from the adapter's own directory, and then from where the user is.

    Raises:
        UserError: it names none, or one that is not there.
    """
    named = read_object(folder / ADAPTER_CONFIG).get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        raise UserError(
            f"{folder / ADAPTER_CONFIG}: base_model_name_or_path is missing; valid: the base's path or hub id"
        )
    for path in (folder / named, Path(named)):
        if path.exists():
            if path.resolve() == folder.resolve():
                raise UserError(f"{folder / ADAPTER_CONFIG}: base_model_name_or_path is the adapter itself")
            return str(path)
    if len(Path(named).parts) != 2 or named.startswith((".", "/", "~")):
        raise UserError(
            f"{folder / ADAPTER_CONFIG}: base_model_name_or_path '{named}' is no directory, seen from {folder} or from "
            "here, and no hub id; valid: where the base is now"
        )
    return named


def merge_into(model: Any, folder: Path) -> Any:
    """Return `model` with the adapter of `folder` added to its weights.

    Raises:
        UserError: the adapter is no plain LoRA, is not in safetensors, or is not exactly one of this model.
    """
    config, tensors = _config(folder), _tensors(folder)
    file = folder / ADAPTER_WEIGHTS
    try:
        with warnings.catch_warnings():
            # peft asks for a property by the name that it had in older versions of transformers.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            warnings.filterwarnings("error", "Model has `tie_word_embeddings=True`", UserWarning)
            adapted = PeftModel(model, config)
    except UserWarning as warning:
        raise UserError(
            f"{folder / ADAPTER_CONFIG}: trains one of two layers that share a weight in the base, which cannot be "
            "merged; valid: an adapter without embeddings and output layer"
        ) from warning
    except ValueError as error:  # no such modules
        raise UserError(f"{folder / ADAPTER_CONFIG}: does not fit the base: {one_line(error)}") from error
    expected = get_peft_model_state_dict(adapted)
    _check(file, tensors, expected)
    for name, parameter in adapted.named_parameters():
        if ".lora_" in name:
            parameter.data = parameter.data.float()  # as it was trained: rounded once, when it is added
    set_peft_model_state_dict(adapted, tensors)
    merged: Any = adapted.merge_and_unload()
    merged.requires_grad_(False)
    if hasattr(merged, "peft_config"):
        del merged.peft_config  # or the library would take it for a model with an adapter, and save only that
    return merged


def _config(folder: Path) -> LoraConfig:
    file = folder / ADAPTER_CONFIG
    held = read_object(file)
    if held.get("peft_type") != "LORA":
        raise UserError(f"{file}: peft_type is {held.get('peft_type')!r}; valid: LORA")
    start = held.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(_MOVED_BASE):
        raise UserError(f"{file}: init_lora_weights is '{start}', which changes the base too; valid: plain LoRA")
    defaults: dict[str, Any] = {field.name: getattr(LoraConfig(), field.name) for field in fields(LoraConfig)}
    for name, value in held.items():
        known = name in _PLAIN or name in _IGNORED
        if not known and value and value != defaults.get(name):
            raise UserError(f"{file}: {name} is {value!r}, which cannot be merged; valid: plain LoRA")
    try:
        return LoraConfig(**{name: held[name] for name in _PLAIN if name in held})
    except (TypeError, ValueError) as error:
        raise UserError(f"{file}: cannot be read: {one_line(error)}") from error


def _tensors(folder: Path) -> dict[str, Tensor]:
    file, other = folder / ADAPTER_WEIGHTS, folder / _TRAINED_BESIDE
    if other.is_file():
        raise UserError(f"{other}: was trained beside the adapter by LLaVA's own code; valid: after `unmirage convert`")
    if not file.is_file():
        if (folder / "adapter_model.bin").is_file():
            raise UserError(
                f"adapter '{folder}': only adapter_model.bin, which is never unpickled; convert it where you trust it: "
                "PeftModel.from_pretrained(base, folder).save_pretrained(folder) writes safetensors"
            )
        raise UserError(f"adapter '{folder}': no {ADAPTER_WEIGHTS}")
    try:
        held: dict[str, Tensor] = load_file(file)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file}: is corrupt or cut off ({one_line(error)}); fetch it again") from error
    return held


def _check(file: Path, tensors: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Compare names and shapes: an adapter of which one matrix is left out is another one."""
    missing, more = expected.keys() - tensors.keys(), tensors.keys() - expected.keys()
    if missing:
        raise UserError(f"{file}: lacks {some(missing)}; valid: all that {ADAPTER_CONFIG} calls for in the base")
    if more:
        raise UserError(f"{file}: holds {some(more)}, which the base has no place for; valid: the base it was made on")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise UserError(
                f"{file}: {name} is {list(tensor.shape)}; valid for this base and r: {list(expected[name].shape)}"
            )
        if not torch.isfinite(tensor).all():
            raise UserError(f"{file}: {name} holds what is no number")
