"""A local vision encoder: pictures in, one vector each out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from transformers import AutoImageProcessor, AutoModel

from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.models.huggingface import check_folder

_BATCH = 32


class VisionEncoder:
    """A Hugging Face vision model (CLIP, SigLIP, DINOv2 and their kin) with its image processor."""

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor

    @classmethod
    def load(cls, folder: Path) -> VisionEncoder:
        """Load a directory. Only safetensors are read, and no code of the directory is run.

        Raises:
            UserError: no usable vision model is there.
        """
        if not folder.is_dir():
            raise UserError(f"encoder '{folder}': no such directory; valid: a Hugging Face vision model's directory")
        check_folder(folder)
        try:
            model = AutoModel.from_pretrained(
                folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, local_files_only=True
            )
            processor = AutoImageProcessor.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        except (OSError, ValueError, ImportError, SafetensorError) as error:
            raise UserError(f"encoder '{folder}': cannot be loaded: {' '.join(str(error).split())[:400]}") from error
        return cls(model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), processor)

    @torch.inference_mode()
    def encode(self, pictures: Pictures, paths: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return one vector a picture, (paths, size): the model's image features, or its pooled output."""
        found = []
        for start in range(0, len(paths), _BATCH):
            images = [pictures.inspect(path)[1] for path in paths[start : start + _BATCH]]
            inputs = self._processor(images=images, return_tensors="pt").to(self._model.device)
            found.append(self._vectors(inputs["pixel_values"]).float().cpu().numpy())
        return np.concatenate(found).astype(np.float64) if found else np.zeros((0, 1))

    def _vectors(self, pixels: torch.Tensor) -> torch.Tensor:
        features = getattr(self._model, "get_image_features", self._model)(pixel_values=pixels)
        pooled = getattr(features, "pooler_output", None)
        found: torch.Tensor = features.last_hidden_state.mean(dim=1) if pooled is None else pooled
        return found
