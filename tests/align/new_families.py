"""Tiny random models of new types for runs on several processes: states beside a cache, and experts."""

from __future__ import annotations

from tests.models.tiny_families.qwen3 import qwen3_5, qwen3_vl_moe

from unmirage.models import HuggingFaceVLM

BUILDERS = {"qwen3.5": qwen3_5, "qwen3-vl-moe": qwen3_vl_moe}


def built(family: str) -> HuggingFaceVLM:
    """Return a tiny model of a family; it is the same at every call, in every process."""
    return HuggingFaceVLM(family, *BUILDERS[family]())
