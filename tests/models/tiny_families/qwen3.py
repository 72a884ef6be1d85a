"""Qwen3-VL with experts, and Qwen3.5 without and with them: linear attention in two of three decoder layers."""

from __future__ import annotations

from typing import Any

from tests.models.tiny_families.qwen import PATCH, build, rope
from transformers import (
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
    Qwen3_5MoeConfig,
    Qwen3_5MoeForConditionalGeneration,
    Qwen3VLMoeConfig,
    Qwen3VLMoeForConditionalGeneration,
)

VISION = {
    "depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": PATCH,
    "out_hidden_size": 48, "num_position_embeddings": 16,
}  # fmt: skip
EXPERTS = {"moe_intermediate_size": 32, "num_experts": 4, "num_experts_per_tok": 2}
STATES = {
    "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "linear_attention", "full_attention"],
}  # fmt: skip
# The seeds are of weights with which answers differ: linear attention alone tells little of what is far away.
SILENT = "<think>\n\n</think>\n\n"  # what Qwen3.5's template puts before an answer without thoughts


def qwen3_vl_moe() -> tuple[Any, Any]:
    """Qwen3-VL with four experts in each decoder layer, of which a token takes two."""
    vision = {**VISION, "deepstack_visual_indexes": [0]}
    text = {**_rope(), **EXPERTS, "head_dim": 12}
    return build(Qwen3VLMoeConfig, Qwen3VLMoeForConditionalGeneration, "qwen3-vl-moe", vision, text, system="")


def qwen3_5() -> tuple[Any, Any]:
    """Qwen3.5, asked without thoughts."""
    text = {**_rope(), **STATES, "head_dim": 12}
    return build(
        Qwen3_5Config, Qwen3_5ForConditionalGeneration, "qwen3.5", VISION, text, system="", start=SILENT, seed=72
    )


def qwen3_5_moe() -> tuple[Any, Any]:
    """Qwen3.5 with four experts in each decoder layer, and one that every token takes."""
    text = {**_rope(), **STATES, **EXPERTS, "head_dim": 12, "shared_expert_intermediate_size": 32}
    return build(
        Qwen3_5MoeConfig, Qwen3_5MoeForConditionalGeneration, "qwen3.5-moe", VISION, text, system="", start=SILENT,
        seed=4,
    )  # fmt: skip


def _rope() -> dict[str, Any]:
    return rope([2, 2, 2], mrope_interleaved=True, partial_rotary_factor=1.0)
