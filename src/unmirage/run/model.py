"""Write an aligned model: weights or adapter, processor, and what made it, all at once or not at all."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from safetensors.torch import save_file
from torch import Tensor

from unmirage.errors import UserError
from unmirage.run.files import new_folder, tensors_written
from unmirage.run.machine import describe_machine

ALIGN_FILE = "unmirage_align.json"
STATE_FILE = "unmirage_method.safetensors"
ADAPTER_FOLDER = "adapter"
ADAPTER_WEIGHTS = "adapter_model.safetensors"  # peft's name; its config's name it knows itself


class Saves(Protocol):
    """Anything that can write itself into an existing empty folder."""

    def save(self, folder: Path, /) -> None:
        """Write everything that loading needs."""
        ...

    def save_processor(self, folder: Path, /) -> None:
        """Write what prepares queries and pictures, without the weights."""
        ...


class Record(Protocol):
    """Anything that can write itself into a model directory beside the model."""

    def save(self, folder: Path, /) -> None:
        """Write the file."""
        ...


def save_model(
    folder: Path,
    model: Saves,
    settings: Mapping[str, Any],
    state: Mapping[str, Tensor],
    *,
    adapter: tuple[Any, Mapping[str, Tensor]] | None = None,
    adapter_only: bool = False,
    base: str = "",
    card: str = "",
    training: Record | None = None,
) -> None:
    """Write `model` to `folder` with the settings that made it and the method's own tensors.

    Args:
        folder: the new directory.
        model: with what was trained merged.
        settings: that made it.
        state: tensors of the method, such as RMU's control vector; without any there is no file for them.
        adapter: peft's settings of what was trained, and its tensors by peft's names; it goes into a subfolder too.
        adapter_only: write the adapter in place of the model: `folder` is then a directory of peft's own kind.
        base: the model that the adapter was trained on, as the user gave it.
        card: text of a README.md.
        training: record of the training data.

    Raises:
        UserError: the adapter alone is asked for, and there is none.
    """
    if adapter_only and adapter is None:
        raise UserError(f"{folder}: nothing was trained as an adapter that could be saved alone; valid: with LoRA")
    with tensors_written(folder), new_folder(folder) as new:
        if not adapter_only:
            model.save(new)
        elif adapter is not None:
            model.save_processor(new)
            _write_adapter(new, *adapter, base)
        if adapter is not None and not adapter_only:
            (new / ADAPTER_FOLDER).mkdir()
            _write_adapter(new / ADAPTER_FOLDER, *adapter, base)
        if state:
            save_file(dict(state), new / STATE_FILE)
        document = {"settings": dict(settings), "machine": describe_machine()}
        (new / ALIGN_FILE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        if training is not None:
            training.save(new)
        if card:
            (new / "README.md").write_text(card, encoding="utf-8")


def _write_adapter(folder: Path, config: Any, tensors: Mapping[str, Tensor], base: str) -> None:
    """Write an adapter as peft does: its `adapter_config.json`, and the weights."""
    config = copy.copy(config)
    config.base_model_name_or_path = base or None
    config.inference_mode = True
    config.save_pretrained(folder)
    save_file(dict(tensors), folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
