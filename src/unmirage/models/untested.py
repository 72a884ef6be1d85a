"""The model types that this package is tested with, on tiny random models of each."""

from __future__ import annotations

from typing import Any

TESTED = frozenset(
    {
        "cohere2_vision", "deepseek_vl", "deepseek_vl_hybrid", "gemma3", "gemma3n", "gemma4", "glm46v", "glm4v",
        "glm4v_moe", "idefics2", "idefics3", "internvl", "kimi_k25", "lfm2_vl", "llama4", "llava", "llava_next",
        "llava_onevision", "minicpmv4_6", "mistral3", "mllama", "molmo2", "ovis2", "paligemma", "qwen2_5_vl",
        "qwen2_vl", "qwen3_5", "qwen3_5_moe", "qwen3_vl", "qwen3_vl_moe", "smolvlm", "vipllava",
    }
)  # fmt: skip


def is_tested(model: Any) -> bool:
    """Return whether this package is tested with the model's type."""
    return str(model.config.model_type) in TESTED


def why_untested(model: Any) -> str:
    """Return the line to log for a model of a type that this package is not tested with; "" for others."""
    if is_tested(model):
        return ""
    return (
        f"model type '{model.config.model_type}' is not among those that unmirage is tested with; its parts are found "
        "from its structure, and its first responses are compared with the library's own"
    )
