"""Everything that differs between model families: where parts are found by name, positions, what can be shared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

# Prefixes of parameter names, by part. LLaVA-like; Qwen-VL; Idefics3 and SmolVLM.
_PARTS: dict[str, tuple[str, ...]] = {
    "vision": ("model.vision_tower.", "model.visual.", "model.vision_model."),
    "projector": ("model.multi_modal_projector.", "model.visual.merger.", "model.connector.", "model.image_newline"),
    "language": ("model.language_model.", "model.text_model.", "lm_head."),
}


def part_of(parameter: str) -> str:
    """Return which part of the VLM a parameter belongs to: "vision", "projector" or "language"."""
    for part in ("projector", "vision", "language"):
        if parameter.startswith(_PARTS[part]):
            return part
    raise ValueError(f"parameter '{parameter}' belongs to no known part of a VLM")


def set_trainable(model: nn.Module, parts: Iterable[str]) -> None:
    """Let only the parameters of `parts` require gradients."""
    chosen = frozenset(parts)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(part_of(name) in chosen)


def decoder_depth(model: Any) -> int:
    """Return the number of decoder layers."""
    return int(model.config.get_text_config().num_hidden_layers)


def image_positions(model: Any, input_ids: Tensor) -> Tensor:
    """Return (batch, tokens) True where the picture's features stand in for a token."""
    image_token: int | None = getattr(model.config, "image_token_id", None)
    if image_token is None:
        return torch.zeros_like(input_ids, dtype=torch.bool)
    return input_ids == image_token


# What a model's own generation settings may hold that changes greedy answers, with the value that changes nothing.
_UNPLAIN = {
    "num_beams": 1, "no_repeat_ngram_size": 0, "encoder_no_repeat_ngram_size": 0, "encoder_repetition_penalty": 1.0,
    "min_length": 0, "min_new_tokens": None, "bad_words_ids": None, "force_words_ids": None,
    "forced_bos_token_id": None, "forced_eos_token_id": None, "suppress_tokens": None,
    "begin_suppress_tokens": None, "exponential_decay_length_penalty": None, "sequence_bias": None,
    "guidance_scale": None, "prompt_lookup_num_tokens": None,
}  # fmt: skip


def why_not_shared(model: Any) -> str:
    """Say why prompts on one picture cannot be answered from a shared prefix; "" where they can."""
    if model.config.model_type in ("paligemma", "paligemma2"):
        return "it attends to the whole prompt from every token of it"
    for name, plain in _UNPLAIN.items():
        value = getattr(model.generation_config, name, None)
        if value not in (None, plain):
            return f"its generation settings hold {name}={value}"
    return ""


def attention_reach(model: Any) -> int | None:
    """Return how many tokens back the attention of some layer reaches; None where it reaches all."""
    config = model.config.get_text_config()
    reach: int | None = getattr(config, "sliding_window", None)
    return reach if getattr(config, "use_sliding_window", True) else None


def end_ids(model: Any) -> set[int]:
    """Return the ids of all tokens that end an answer."""
    found = model.generation_config.eos_token_id
    if found is None:
        found = model.config.get_text_config().eos_token_id
    return set() if found is None else set(found if isinstance(found, list) else [found])


def _has_axes(model: Any) -> bool:
    """Tell the models that number image tokens by row and column (Qwen-VL), so that text goes on at an offset."""
    return hasattr(model.model, "rope_deltas")


def positions(model: Any, inputs: Mapping[str, Tensor], deltas: Tensor | None = None) -> dict[str, Tensor]:
    """Return the argument that tells a model where each of `input_ids` (rows, tokens) stands.

    Args:
        model: any VLM.
        inputs: with the `attention_mask` (rows, all tokens) of what is cached and of what is new.
        deltas: (rows, 1) of `image_deltas`; None where nothing is cached yet.
    """
    if deltas is None and _has_axes(model) and "image_grid_thw" in inputs:
        return {}  # the model counts rows and columns by itself
    mask, new = inputs["attention_mask"].long(), inputs["input_ids"].shape[1]
    place = (mask.cumsum(-1) - 1).clamp(min=0)[:, -new:]
    if deltas is not None:
        place = place + deltas
    return {"position_ids": place[None].expand(3, -1, -1) if _has_axes(model) else place}


def image_deltas(model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return (rows, 1) how far positions behind a picture are from the count of tokens, once it has been read."""
    if _has_axes(model) and "image_grid_thw" in inputs:
        deltas: Tensor = model.model.rope_deltas
        return deltas.reshape(-1, 1)
    return torch.zeros_like(inputs["input_ids"][:, :1])
