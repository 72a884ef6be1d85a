"""Tiny random models of new types for runs on several processes: states beside a cache, and experts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.models.tiny_families.qwen import build
from transformers import (
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
    Qwen3VLMoeConfig,
    Qwen3VLMoeForConditionalGeneration,
)

from unmirage.models import HuggingFaceVLM

_ROPE = {
    "rope_parameters": {
        "rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 2, 2], "mrope_interleaved": True,
        "partial_rotary_factor": 1.0,
    },
    "head_dim": 12,
}  # fmt: skip
_VISION = {
    "depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": 8, "out_hidden_size": 48,
    "num_position_embeddings": 16, "deepstack_visual_indexes": [0],
}  # fmt: skip
_STATES = {
    "num_hidden_layers": 3, "layer_types": ["linear_attention", "full_attention", "linear_attention"],
    "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    "linear_conv_kernel_dim": 4,
}  # fmt: skip
_EXPERTS = {"moe_intermediate_size": 16, "num_experts": 4, "num_experts_per_tok": 2}


def qwen3_5() -> tuple[Any, Any]:
    """Qwen3.5: most layers have a state instead of keys and values."""
    return build(Qwen3_5Config, Qwen3_5ForConditionalGeneration, "qwen3-vl", _VISION, {**_ROPE, **_STATES}, system="")


def qwen3_vl_moe() -> tuple[Any, Any]:
    """Qwen3-VL-MoE: a router sends each token to two of four experts."""
    return build(
        Qwen3VLMoeConfig, Qwen3VLMoeForConditionalGeneration, "qwen3-vl", _VISION, {**_ROPE, **_EXPERTS}, system=""
    )


BUILDERS: dict[str, Callable[[], tuple[Any, Any]]] = {"qwen3.5": qwen3_5, "qwen3-vl-moe": qwen3_vl_moe}


def built(family: str) -> HuggingFaceVLM:
    """Return a tiny model of a family; it is the same at every call, in every process."""
    return HuggingFaceVLM(family, *BUILDERS[family]())
