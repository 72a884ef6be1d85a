"""Write an aligned model: weights, processor, and what made it, all at once or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from safetensors.torch import save_file
from torch import Tensor

from unmirage.run.files import new_folder
from unmirage.run.machine import describe_machine

ALIGN_FILE = "unmirage_align.json"
STATE_FILE = "unmirage_method.safetensors"


class Saves(Protocol):
    """Anything that can write itself into an existing empty folder."""

    def save(self, folder: Path, /) -> None:
        """Write everything that loading needs."""
        ...


def save_model(folder: Path, model: Saves, settings: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Write `model` to `folder` with the settings that made it and the method's own tensors."""
    with new_folder(folder) as new:
        model.save(new)
        if state:
            save_file(dict(state), new / STATE_FILE)
        document = {"settings": dict(settings), "machine": describe_machine()}
        (new / ALIGN_FILE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
