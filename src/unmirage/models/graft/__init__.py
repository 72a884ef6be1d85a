"""Graft a small vision tower onto a text decoder: a LLaVA of pretrained text weights.

Settings and document need no torch; everything else is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from unmirage.models.graft.document import Graft, Seen
from unmirage.models.graft.settings import GraftSettings

if TYPE_CHECKING:
    from unmirage.models.graft.assembly import Assembly, assemble
    from unmirage.models.graft.source import Source, load_decoder
    from unmirage.models.graft.write import Grafted, PictureTraining, graft

__all__ = [
    "Assembly",
    "Graft",
    "GraftSettings",
    "Grafted",
    "PictureTraining",
    "Seen",
    "Source",
    "assemble",
    "graft",
    "load_decoder",
]

_MODULES = {
    "Assembly": "assembly",
    "assemble": "assembly",
    "Source": "source",
    "load_decoder": "source",
    "Grafted": "write",
    "PictureTraining": "write",
    "graft": "write",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
