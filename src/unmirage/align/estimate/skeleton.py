"""Load the shape of a model without its weights, with the trainable parts chosen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

from unmirage.errors import UserError
from unmirage.models.huggingface import HuggingFaceVLM, check_folder

Source = str | Path | HuggingFaceVLM


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A model on the `meta` device, where tensors have shapes and types but no content, and its processor."""

    name: str
    model: Any
    processor: Any

    @classmethod
    def of(cls, source: Source) -> Skeleton:
        """Return the skeleton of a loaded model, of a directory, or of a hub id (config and processor are fetched).

        The weights have the type in which a GPU would hold them: that of the model if it is loaded, else that of the
        checkpoint.

        Raises:
            UserError: nothing usable is there.
        """
        if isinstance(source, HuggingFaceVLM):
            return cls(source.name, _empty(source.model.config, source.model.dtype), source.processor)
        folder = Path(source)
        if folder.exists():
            check_folder(folder)
        elif len(folder.parts) != 2 or str(source).startswith((".", "/", "~")):
            raise UserError(f"model '{source}': no such directory, and not a hub id of the form owner/name")
        local = folder.exists()
        try:
            config = AutoConfig.from_pretrained(source, trust_remote_code=False, local_files_only=local)
            processor = AutoProcessor.from_pretrained(source, trust_remote_code=False, local_files_only=local)
        except (OSError, ValueError, ImportError) as error:
            raise UserError(f"model '{source}': cannot be planned: {' '.join(str(error).split())[:400]}") from error
        return cls(folder.name, _empty(config, config.dtype or _stored_dtype(folder)), processor)


def _empty(config: Any, dtype: torch.dtype) -> Any:
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(config, dtype=dtype).eval()


def _stored_dtype(folder: Path) -> torch.dtype:
    """Return the type of the first floating-point tensor of a directory; bfloat16 where there is none to look at."""
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118  # it is no dict
                stored = tensors.get_slice(name).get_dtype()
                if stored in _STORED:
                    return _STORED[stored]
    return torch.bfloat16


_STORED = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
