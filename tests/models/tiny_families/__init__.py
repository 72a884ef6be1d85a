"""Tiny random models of every family of VLMs that we support, made in process, with their real processors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.models.tiny_families.deepseek import deepseek_vl, deepseek_vl_hybrid, kimi_k25
from tests.models.tiny_families.gemma import gemma3, paligemma
from tests.models.tiny_families.gemma_n import gemma3n, gemma4
from tests.models.tiny_families.glm import glm4v, glm4v_moe, glm46v
from tests.models.tiny_families.idefics import idefics2, idefics3, smolvlm
from tests.models.tiny_families.internvl import internvl3, internvl3_5
from tests.models.tiny_families.llama import llama4, mllama
from tests.models.tiny_families.llava import llava_1_5, llava_next, llava_onevision, vipllava
from tests.models.tiny_families.mistral import mistral3
from tests.models.tiny_families.pictures import pictures
from tests.models.tiny_families.processors import LIBRARY_PIXELS, WITHOUT_VIDEO
from tests.models.tiny_families.qwen import qwen2_5_vl, qwen2_vl, qwen3_vl
from tests.models.tiny_families.qwen3 import qwen3_5, qwen3_5_moe, qwen3_vl_moe
from tests.models.tiny_families.text import QUERIES
from tests.models.tiny_families.tiled import cohere2_vision, lfm2_vl, minicpmv4_6, molmo2, ovis2
from transformers import AutoProcessor

__all__ = ["FAMILIES", "QUERIES", "THOROUGH", "load_processor", "pictures"]

FAMILIES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "llava-1.5": llava_1_5,
    "llava-next": llava_next,
    "llava-onevision": llava_onevision,
    "qwen2-vl": qwen2_vl,
    "qwen2.5-vl": qwen2_5_vl,
    "qwen3-vl": qwen3_vl,
    "internvl3": internvl3,
    "idefics3": idefics3,
    "smolvlm": smolvlm,  # and SmolVLM 2, which has the same model class and processor
    "gemma3": gemma3,
    "paligemma": paligemma,
    "qwen3.5": qwen3_5,
    "qwen3.5-moe": qwen3_5_moe,
    "qwen3-vl-moe": qwen3_vl_moe,
    "gemma3n": gemma3n,
    "gemma4": gemma4,
    "llama4": llama4,
    "mllama": mllama,
    "mistral3": mistral3,
    "minicpmv4.6": minicpmv4_6,
    "deepseek-vl": deepseek_vl,
    "deepseek-vl-hybrid": deepseek_vl_hybrid,
    "kimi-k25": kimi_k25,
    "glm4v": glm4v,
    "glm46v": glm46v,
    "glm4v-moe": glm4v_moe,
    "molmo2": molmo2,
    "cohere2-vision": cohere2_vision,
    "lfm2-vl": lfm2_vl,
    "internvl3.5": internvl3_5,
    "ovis2": ovis2,
    "idefics2": idefics2,
    "vipllava": vipllava,
}
# The families with which every combination of settings is tried; the others take one run of each kind.
THOROUGH = (
    "llava-1.5", "llava-next", "llava-onevision", "qwen2-vl", "qwen2.5-vl", "qwen3-vl", "internvl3", "idefics3",
    "smolvlm", "gemma3", "paligemma",
)  # fmt: skip


def load_processor(family: str, folder: Path) -> Any:
    """Load a saved processor; where `AutoProcessor` would ask for torchvision, with the class that does not."""
    own = {**WITHOUT_VIDEO, **LIBRARY_PIXELS}
    return own.get(family, AutoProcessor).from_pretrained(folder)
