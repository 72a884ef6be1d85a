"""Everything that differs between model families: where the parts of a VLM are found by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

# Prefixes of parameter names, by part. LLaVA-like; Qwen-VL; Idefics3 and SmolVLM.
_PARTS: dict[str, tuple[str, ...]] = {
    "vision": ("model.vision_tower.", "model.visual.", "model.vision_model."),
    "projector": ("model.multi_modal_projector.", "model.visual.merger.", "model.connector."),
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
