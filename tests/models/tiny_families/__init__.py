"""Tiny random models of every family of VLMs that we support, made in process, with their real processors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.models.tiny_families.gemma import gemma3, paligemma
from tests.models.tiny_families.idefics import idefics3, smolvlm
from tests.models.tiny_families.internvl import internvl3
from tests.models.tiny_families.llava import llava_1_5, llava_next, llava_onevision
from tests.models.tiny_families.pictures import pictures
from tests.models.tiny_families.processors import WITHOUT_VIDEO
from tests.models.tiny_families.qwen import qwen2_5_vl, qwen2_vl, qwen3_vl
from tests.models.tiny_families.text import QUERIES
from transformers import AutoProcessor

__all__ = ["FAMILIES", "QUERIES", "load_processor", "pictures"]

FAMILIES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "llava-1.5": llava_1_5,
    "llava-next": llava_next,
    "llava-onevision": llava_onevision,
    "qwen2-vl": qwen2_vl,
    "qwen2.5-vl": qwen2_5_vl,
    "qwen3-vl": qwen3_vl,
    "internvl3": internvl3,
    "idefics3": idefics3,
    "smolvlm": smolvlm,
    "gemma3": gemma3,
    "paligemma": paligemma,
}


def load_processor(family: str, folder: Path) -> Any:
    """Load a saved processor; where `AutoProcessor` would ask for torchvision, with the class that does not."""
    return WITHOUT_VIDEO.get(family, AutoProcessor).from_pretrained(folder)
