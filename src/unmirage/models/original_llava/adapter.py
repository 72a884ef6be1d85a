"""Merge a LoRA adapter of the original LLaVA code into its base checkpoint."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from unmirage.errors import UserError
from unmirage.models.adapters import add_product
from unmirage.models.folder import ADAPTER_CONFIG
from unmirage.models.original_llava.stored import Stored, Weights, open_pickle, open_weights
from unmirage.run.files import read_object

EMBEDDINGS = "language_model.model.embed_tokens.weight"
HEAD = "language_model.lm_head.weight"
TOWER = "vision_tower.vision_model."
PROJECTOR = "multi_modal_projector."

# Original prefix: hub prefix. A linear projector becomes the first of the hub model's two layers.
_PREFIXES = {
    "model.embed_tokens.": "language_model.model.embed_tokens.",
    "model.layers.": "language_model.model.layers.",
    "model.norm.": "language_model.model.norm.",
    "lm_head.": "language_model.lm_head.",
    "model.mm_projector.0.": "multi_modal_projector.linear_1.",
    "model.mm_projector.2.": "multi_modal_projector.linear_2.",
    "model.mm_projector.weight": "multi_modal_projector.linear_1.weight",
    "model.mm_projector.bias": "multi_modal_projector.linear_1.bias",
    "model.vision_tower.vision_tower.vision_model.": TOWER,
}
# Buffers that a model computes itself.
_DERIVED = (".rotary_emb.inv_freq", ".embeddings.position_ids")
# `transformers` uses other names for these parts in memory than on the hub, and changes them between versions.
_IN_MEMORY = {
    "model.language_model.": "language_model.model.",
    "lm_head.": "language_model.lm_head.",
    "model.vision_tower.vision_model.": TOWER,
    "model.vision_tower.": TOWER,
    "model.multi_modal_projector.": "multi_modal_projector.",
}


def is_derived(name: str) -> bool:
    """Return whether a tensor is a buffer that old checkpoints store and no model needs."""
    return name.endswith(_DERIVED)


def hub_name(original: str) -> str | None:
    """Return the hub name of an original checkpoint's tensor; None if LLaVA has no such tensor."""
    return _renamed(original, _PREFIXES)


def hub_name_in_memory(parameter: str) -> str:
    """Return the hub name of a parameter of `LlavaForConditionalGeneration`."""
    name = _renamed(parameter, _IN_MEMORY)
    assert name is not None, f"LLaVA has an unknown parameter {parameter}"
    return name


def tower_name(name: str) -> str | None:
    """Return the LLaVA name of a CLIP checkpoint's tensor; None if it is not part of the vision tower."""
    if name.startswith("vision_model."):
        return TOWER + name.removeprefix("vision_model.")
    # Newer versions of `transformers` save a separate tower without the prefix.
    bare = ("embeddings.", "encoder.", "pre_layrnorm.", "post_layernorm.")
    return TOWER + name if name.startswith(bare) else None


def _renamed(name: str, prefixes: dict[str, str]) -> str | None:
    for prefix, new in prefixes.items():
        if name.startswith(prefix):
            return new + name.removeprefix(prefix)
    return None


_OTHERS = "non_lora_trainables.bin"  # the projector
_PREFIX = "base_model.model."
_UNSUPPORTED = ("use_dora", "modules_to_save", "rank_pattern", "alpha_pattern", "fan_in_fan_out", "layer_replication")


def merge_adapter(base: Weights, folder: Path, *, from_pickle: bool) -> Weights:
    """Return the tensors of `base`, plus the adapter's product, plus weights that were trained besides the adapter.

    Each sum W + s B A is computed in float32 when it is read, and rounded to the dtype of W.
    """
    scale = _scale(folder / ADAPTER_CONFIG)
    others = folder / _OTHERS
    merged = dict(base)
    if others.is_file():
        trained = open_pickle(others, from_pickle=from_pickle)
        merged |= {_plain(name): one for name, one in trained.items()}
    adapter = open_weights(folder, "adapter_model", "adapter_model", from_pickle=from_pickle)
    left = dict(adapter)
    for name, down in adapter.items():
        if not name.endswith(".lora_A.weight"):
            continue
        module = name.removesuffix(".lora_A.weight")
        up = adapter.get(f"{module}.lora_B.weight")
        target = module.removeprefix(_PREFIX) + ".weight"
        if up is None:
            raise UserError(f"{down.file}: {module}.lora_B.weight is missing; download the adapter again")
        merged[target] = _sum(target, merged.get(target), down, up, scale)
        del left[name], left[f"{module}.lora_B.weight"]
    if left:
        raise UserError(f"{folder}: {min(left)} is not a LoRA matrix; valid: lora_A.weight and lora_B.weight")
    return merged


def _scale(file: Path) -> float:
    """Return the factor s of the product B A."""
    config = read_object(file)
    for field in _UNSUPPORTED:
        if config.get(field):
            raise UserError(f"{file}: {field} is {config[field]!r}, which cannot be merged; use plain LoRA")
    if config.get("bias", "none") != "none":
        raise UserError(f"{file}: bias is {config['bias']!r}, which cannot be merged; valid: 'none'")
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if not isinstance(rank, int) or rank < 1 or not isinstance(alpha, int | float):
        raise UserError(f"{file}: r is {rank!r} and lora_alpha {alpha!r}; valid: a positive integer and a number")
    return alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank


def _plain(name: str) -> str:
    """Return the checkpoint's name of a tensor trained besides the adapter, without PEFT's prefixes."""
    name = name.removeprefix("base_model.")
    return name.removeprefix("model.") if name.startswith("model.model.") else name


def _sum(name: str, base: Stored | None, down: Stored, up: Stored, scale: float) -> Stored:
    if base is None:
        raise UserError(f"{down.file}: adapts {name}, which the base lacks; use the base that it was trained on")
    fits = len(down.shape) == len(up.shape) == 2 and down.shape[0] == up.shape[1]
    if not fits or (up.shape[0], down.shape[1]) != base.shape:
        raise UserError(
            f"{down.file}: {name}: A {list(down.shape)} and B {list(up.shape)} do not match the base's "
            f"{list(base.shape)}; use the base that the adapter was trained on"
        )
    return replace(base, read=lambda: add_product(base.read(), down.read(), up.read(), scale))
