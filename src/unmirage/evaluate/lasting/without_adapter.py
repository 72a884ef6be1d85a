"""Find the base model of an adapter, to test the model without the adapter."""

from __future__ import annotations

from pathlib import Path

from unmirage.errors import UserError
from unmirage.models.adapters import base_of
from unmirage.models.folder import ADAPTER_CONFIG, is_adapter
from unmirage.run.model import ADAPTER_FOLDER


def base_alone(model: str | Path) -> str:
    """Return the path or hub id of the base model of an adapter, or of a model with a merged and saved adapter.

    Anyone with the adapter files can load the base model without them, which removes the alignment.

    Raises:
        UserError: the directory has no adapter, or the adapter does not name its base model.
    """
    folder = Path(model)
    if is_adapter(folder):
        return base_of(folder)
    if (folder / ADAPTER_FOLDER / ADAPTER_CONFIG).is_file():
        return base_of(folder / ADAPTER_FOLDER)
    raise UserError(f"model '{model}': no adapter found; valid: a directory of `unmirage align --lora`")
