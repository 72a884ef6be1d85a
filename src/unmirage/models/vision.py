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
# What a directory that is no vision model's, or a broken one's, is met with while it is loaded and tried.
_UNUSABLE = (
    AttributeError, ImportError, IndexError, KeyError, OSError, RuntimeError, SafetensorError, TypeError, ValueError,
)  # fmt: skip


class VisionEncoder:
    """A Hugging Face vision model (CLIP, SigLIP, DINOv2 and their kin) with its image processor."""

    def __init__(self, model: Any, processor: Any, *, pooled: bool = True) -> None:
        self._model = model
        self._processor = processor
        self._pooled = pooled

    @classmethod
    def load(cls, folder: Path) -> VisionEncoder:
        """Load a directory, and try it. Only safetensors are read, and no code of the directory is run.

        Raises:
            UserError: no usable vision model is there.
        """
        if not folder.is_dir():
            raise UserError(f"encoder '{folder}': no such directory; valid: a Hugging Face vision model's directory")
        check_folder(folder)
        try:
            model, found = AutoModel.from_pretrained(
                folder,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
            processor = AutoImageProcessor.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        except _UNUSABLE as error:
            raise UserError(f"encoder '{folder}': cannot be loaded: {_one_line(error)}") from error
        missing = set(found["missing_keys"])
        # A classifier lacks the pooling layer, which would be left at random; its last layer is whole.
        pooler = {key for key in missing if "pooler" in key}
        if missing - pooler:
            raise UserError(f"encoder '{folder}': its weights lack {min(missing - pooler)}; valid: the whole model's")
        encoder = cls(model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), processor, pooled=not pooler)
        try:
            if not np.isfinite(encoder._encoded([np.zeros((48, 64, 3), dtype=np.uint8)])).all():
                raise ValueError("its vectors hold NaN or infinities")
        except _UNUSABLE as error:
            raise UserError(f"encoder '{folder}': takes no pictures: {_one_line(error)}") from error
        return encoder

    def encode(self, pictures: Pictures, paths: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return one vector a picture, (paths, size): the model's image features, or its pooled output."""
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


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:400]
