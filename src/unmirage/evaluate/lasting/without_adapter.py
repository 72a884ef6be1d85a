"""A model directory in, the model that its adapter was trained on out: what is left when somebody switches it off."""

from __future__ import annotations

from pathlib import Path

from unmirage.errors import UserError
from unmirage.models.adapters import base_of
from unmirage.models.folder import ADAPTER_CONFIG, is_adapter
from unmirage.run.model import ADAPTER_FOLDER


def base_alone(model: str | Path) -> str:
    """Return the path or hub id of the base of an adapter, or of a model that keeps the adapter merged into it.

    An adapter is a file beside the base: whoever has it can leave it out, and with it the repair.

    Raises:
        UserError: there is no adapter, or it does not say what it was trained on.
    """
    folder = Path(model)
    if is_adapter(folder):
        return base_of(folder)
    if (folder / ADAPTER_FOLDER / ADAPTER_CONFIG).is_file():
        return base_of(folder / ADAPTER_FOLDER)
    raise UserError(f"model '{model}': has no adapter to leave out; valid: a directory of `unmirage align --lora`")
