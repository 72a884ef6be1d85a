"""Before anything is spent: what a run trains, holds, computes and shows the model, from shapes alone."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from unmirage.align.estimate.result import Estimate

if TYPE_CHECKING:
    from unmirage.align.estimate.lengths import check_lengths
    from unmirage.align.estimate.run import estimate

__all__ = ["Estimate", "check_lengths", "estimate"]


def __getattr__(name: str) -> Any:
    modules = {"check_lengths": "lengths", "estimate": "run"}  # they import torch
    if name in modules:
        return getattr(import_module(f"{__name__}.{modules[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
