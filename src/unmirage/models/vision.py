"""Encode images as vectors with a local vision encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoImageProcessor

from unmirage.data.images import Pictures
from unmirage.models.encoders import check_encoder, encoder_errors, load_encoder

_BATCH = 32


class VisionEncoder:
    """A Hugging Face vision model (CLIP, SigLIP, DINOv2 and similar) with its image processor."""

    def __init__(self, model: Any, processor: Any, *, pooled: bool = True) -> None:
        self._model = model
        self._processor = processor
        self._pooled = pooled

    @classmethod
    def load(cls, folder: Path) -> VisionEncoder:
        """Load a directory and test the model. Reads safetensors only and runs no code from the directory.

        Raises:
            UserError: the directory holds no usable vision model.
        """
        check_encoder(folder, "vision")
        with encoder_errors(folder, "cannot be loaded"):
            processor = AutoImageProcessor.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        model, pooled = load_encoder(folder)
        encoder = cls(model, processor, pooled=pooled)
        with encoder_errors(folder, "cannot encode images"):
            if not np.isfinite(encoder._encoded([np.zeros((48, 64, 3), dtype=np.uint8)])).all():
                raise ValueError("its vectors contain NaN or Inf")
        return encoder

    def encode(self, pictures: Pictures, paths: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return one vector per image, (paths, size): the model's image features, or its pooled output."""
        found = []
        for start in range(0, len(paths), _BATCH):
            found.append(self._encoded([pictures.inspect(path)[1] for path in paths[start : start + _BATCH]]))
        return np.concatenate(found) if found else np.zeros((0, 1))

    @torch.inference_mode()
    def _encoded(self, images: list[Any]) -> npt.NDArray[np.float64]:
        inputs = self._processor(images=images, return_tensors="pt").to(self._model.device)
        found: npt.NDArray[np.float64] = self._vectors(inputs["pixel_values"]).cpu().double().numpy()
        return found

    def _vectors(self, pixels: torch.Tensor) -> torch.Tensor:
        features = getattr(self._model, "get_image_features", self._model)(pixel_values=pixels)
        pooled = getattr(features, "pooler_output", None) if self._pooled else None
        found: torch.Tensor = features.last_hidden_state.mean(dim=1) if pooled is None else pooled
        return found.flatten(start_dim=1)
