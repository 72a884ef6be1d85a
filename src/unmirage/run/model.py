"""Write an aligned model directory atomically: weights or adapter, processor, settings and data record."""

from __future__ import annotations

import copy
import json
import os
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
ADAPTER_RECORD = "unmirage_adapter.json"  # what the adapter was trained on
TRAINED_BESIDE = "unmirage_trained.safetensors"  # tensors trained with an adapter that peft's format cannot hold
PEFT_PREFIX = "base_model.model."


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
    about: Mapping[str, Any] | None = None,
    card: str = "",
    training: Record | None = None,
) -> None:
    """Write `model` to `folder` with its settings and the tensors of the method.

    Args:
        model: the model, with trained adapter weights merged.
        state: tensors of the method, such as RMU's control vector; if empty, no file is written.
        adapter: peft's settings of the adapter, and its tensors by peft's names; also written to a subfolder. Tensors
            with other names are weights that peft's format cannot hold.
        adapter_only: write the adapter instead of the model; `folder` is then a peft adapter directory.
        base: the base model of the adapter, as the user gave it.
        about: what tells this base from others, such as its type and hashes of its files.

    Raises:
        UserError: `adapter_only` is set, and there is no adapter.
    """
    if adapter_only and adapter is None:
        raise UserError(f"{folder}: no adapter was trained, so none can be saved alone; train with LoRA")
    record = {"base": base, **(about or {})}
    with tensors_written(folder), new_folder(folder) as new:
        if not adapter_only:
            model.save(new)
        elif adapter is not None:
            model.save_processor(new)
            _write_adapter(new, *adapter, _pointer(base, folder), record)
        if adapter is not None and not adapter_only:
            (new / ADAPTER_FOLDER).mkdir()
            _write_adapter(new / ADAPTER_FOLDER, *adapter, _pointer(base, folder / ADAPTER_FOLDER), record)
        if state:
            save_file(dict(state), new / STATE_FILE)
        document = {"settings": dict(settings), "machine": describe_machine()}
        (new / ALIGN_FILE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        if training is not None:
            training.save(new)
        if card:
            (new / "README.md").write_text(card, encoding="utf-8")


def _pointer(base: str, folder: Path) -> str:
    """Return how the adapter in `folder` names its base: a path relative to it if both can be moved together.

    A hub id stays as it is, and so does a path that shares no folder with the adapter but the root.
    """
    if not base or not Path(base).exists():
        return base
    there, here = os.path.realpath(base), os.path.realpath(folder)
    return os.path.relpath(there, here) if os.path.commonpath([there, here]) != os.sep else there


def _write_adapter(
    folder: Path, config: Any, tensors: Mapping[str, Tensor], pointer: str, record: Mapping[str, Any]
) -> None:
    """Write an adapter as peft does: `adapter_config.json` and the weights; and what else was trained."""
    config = copy.copy(config)
    config.base_model_name_or_path = pointer or None
    config.inference_mode = True
    config.save_pretrained(folder)
    beside = {name: tensor for name, tensor in tensors.items() if not name.startswith(PEFT_PREFIX)}
    own = {name: tensor for name, tensor in tensors.items() if name not in beside}
    save_file(own, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
    if beside:
        save_file(beside, folder / TRAINED_BESIDE, metadata={"format": "pt"})
    text = json.dumps({**record, "beside": sorted(beside)}, indent=2)
    (folder / ADAPTER_RECORD).write_text(text + "\n", encoding="utf-8")
