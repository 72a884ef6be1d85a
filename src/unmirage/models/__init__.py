"""VLMs behind one small interface. `HuggingFaceVLM` is imported when it is first used: it needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unmirage.models.base import VLM, GenerationConfig, ask

if TYPE_CHECKING:
    from unmirage.models.huggingface import HuggingFaceVLM

__all__ = ["VLM", "GenerationConfig", "HuggingFaceVLM", "ask"]


def __getattr__(name: str) -> Any:
    if name == "HuggingFaceVLM":
        from unmirage.models.huggingface import HuggingFaceVLM

        return HuggingFaceVLM
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
