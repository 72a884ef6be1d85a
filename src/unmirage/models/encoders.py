"""A directory of an encoder in, its model out; or one line that says why it is none. For pictures and sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModel

from unmirage.errors import UserError
from unmirage.models.folder import check_folder, is_adapter

# What a directory that is no such model's, or a broken one's, is met with while it is loaded and tried.
_UNUSABLE = (
    AttributeError, ImportError, IndexError, KeyError, OSError, RuntimeError, SafetensorError, TypeError, ValueError,
)  # fmt: skip


def check_encoder(folder: Path, kind: str) -> None:
    """Refuse what is no directory with a model in safetensors; `kind` says of what, such as "vision"."""
    if not folder.is_dir():
        raise UserError(f"encoder '{folder}': no such directory; valid: a Hugging Face {kind} model's directory")
    if is_adapter(folder):
        raise UserError(f"encoder '{folder}': an adapter; valid: a whole {kind} model's directory")
    check_folder(folder)


def load_encoder(folder: Path) -> tuple[Any, bool]:
    """Return the model, ready to be asked, and whether its weights have a pooling layer.

    Only safetensors are read, and no code of the directory is run. A classifier lacks the pooling layer, which is
    then left at random; its last layer is whole.

    Raises:
        UserError: it cannot be loaded, or other weights are missing.
    """
    with encoder_errors(folder, "cannot be loaded"):
        model, found = AutoModel.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    missing = set(found["missing_keys"])
    pooler = {key for key in missing if "pooler" in key}
    if missing - pooler:
        raise UserError(f"encoder '{folder}': its weights lack {min(missing - pooler)}; valid: the whole model's")
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), not pooler


@contextmanager
def encoder_errors(folder: Path, what: str) -> Iterator[None]:
    """Turn what an unusable model is met with into one line that names the directory and says `what` it does."""
    try:
        yield
    except _UNUSABLE as error:
        raise UserError(f"encoder '{folder}': {what}: {' '.join(str(error).split())[:400]}") from error
