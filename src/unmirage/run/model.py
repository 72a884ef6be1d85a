"""Write an aligned model directory atomically: weights or adapter, processor, settings and data record."""

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
ADAPTER_WEIGHTS = "adapter_model.safetensors"  # the name that peft uses; peft exports only the name of the config file


class Saves(Protocol):
    """An object that can write itself into an existing empty folder."""

    def save(self, folder: Path, /) -> None:
        """Write everything that loading requires."""
        ...

    def save_processor(self, folder: Path, /) -> None:
        """Write the files that prepare queries and pictures, without the weights."""
        ...


class Record(Protocol):
    """An object that can write itself into a model directory."""

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
    """Write `model` to `folder` with its settings and the tensors of the method.

    Args:
        model: the model, with trained adapter weights merged.
        state: tensors of the method, such as RMU's control vector; if empty, no file is written.
        adapter: peft's settings of the adapter, and its tensors by peft's names; also written to a subfolder.
        adapter_only: write the adapter instead of the model; `folder` is then a peft adapter directory.
        base: the base model of the adapter, as the user gave it.

    Raises:
        UserError: `adapter_only` is set, and there is no adapter.
    """
    if adapter_only and adapter is None:
        raise UserError(f"{folder}: no adapter was trained, so none can be saved alone; train with LoRA")
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
    """Write an adapter as peft does: `adapter_config.json` and the weights."""
    config = copy.copy(config)
    config.base_model_name_or_path = base or None
    config.inference_mode = True
    config.save_pretrained(folder)
    save_file(dict(tensors), folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
