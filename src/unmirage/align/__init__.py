"""Alignment: SFT baselines and unlearning on Hugging Face VLMs. Names are imported when first used: they need torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unmirage.align.config import AlignConfig
    from unmirage.align.methods import METHODS, NpoConfig, RmuConfig, SftConfig
    from unmirage.align.plan import AlignData
    from unmirage.align.result import AlignResult
    from unmirage.align.run import align

__all__ = ["METHODS", "AlignConfig", "AlignData", "AlignResult", "NpoConfig", "RmuConfig", "SftConfig", "align"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        modules = [import_module(f"{__name__}.{module}") for module in ("config", "methods", "plan", "run")]
        return next(getattr(module, name) for module in modules if hasattr(module, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
