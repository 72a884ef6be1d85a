"""Load local image and text encoders, with a one-line error for an unusable directory."""

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

# Errors that the library raises while it loads or runs a broken or unsuitable model.
_UNUSABLE = (
    AttributeError, ImportError, IndexError, KeyError, OSError, RuntimeError, SafetensorError, TypeError, ValueError,
)  # fmt: skip


def check_encoder(folder: Path, kind: str) -> None:
    """Check that `folder` holds a model in safetensors; `kind` is its kind for messages, such as "vision"."""
    if not folder.is_dir():
        raise UserError(f"encoder '{folder}': no such directory; give the directory of a Hugging Face {kind} model")
    if is_adapter(folder):
        raise UserError(f"encoder '{folder}': holds an adapter; give the directory of a whole {kind} model")
    check_folder(folder)


def load_encoder(folder: Path) -> tuple[Any, bool]:
    """Return the model in evaluation mode, and whether its weights include a pooling layer.

    Reads safetensors only and runs no code from the directory. A classifier has no pooling layer, so that layer
    stays random; its last hidden layer is complete.

    Raises:
        UserError: the model cannot be loaded, or weights other than the pooling layer are missing.
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
        raise UserError(f"encoder '{folder}': the weights lack {min(missing - pooler)}; download the whole model again")
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), not pooler


@contextmanager
def encoder_errors(folder: Path, what: str) -> Iterator[None]:
    """Turn the errors of an unusable model into one line with the directory; `what` completes "the encoder ..."."""
    try:
        yield
    except _UNUSABLE as error:
        raise UserError(f"encoder '{folder}': {what}: {' '.join(str(error).split())[:400]}") from error
