"""Encode sentences and images with Hugging Face encoders, for probes and similarity."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from unmirage.data.images import Pictures
from unmirage.errors import UserError, one_line
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
        raise UserError(f"encoder '{folder}': {what}: {one_line(error)}") from error


_TEXTS_AT_ONCE = 64
_MOST_TOKENS = 512
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model")


class SentenceEncoder:
    """A Hugging Face text model (BERT, MiniLM, MPNet and similar) with mean pooling over the tokens of a sentence.

    Most sentence encoders expect mean pooling; one that expects its first token gives worse vectors.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model
        self._tokenizer = tokenizer
        # RoBERTa-like models reserve two positions; the loss of two positions does not matter in others.
        positions = getattr(model.config, "max_position_embeddings", None) or _MOST_TOKENS + 2
        self._longest = min(_MOST_TOKENS, positions - 2, tokenizer.model_max_length)
        self._lock = threading.Lock()  # fast tokenizers are not thread-safe

    @classmethod
    def load(cls, folder: Path) -> SentenceEncoder:
        """Load a directory and test the model. Reads safetensors only and runs no code from the directory.

        Raises:
            UserError: the directory holds no usable text model.
        """
        check_encoder(folder, "text")
        # Without these files, the library creates a tokenizer without words, and all texts look alike.
        if not any((folder / name).is_file() for name in _VOCABULARIES):
            raise UserError(f"encoder '{folder}': tokenizer is missing; add one of {', '.join(_VOCABULARIES)}")
        with encoder_errors(folder, "cannot be loaded"):
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        model, _ = load_encoder(folder)  # mean pooling needs no pooling layer
        with encoder_errors(folder, "cannot encode sentences"):
            encoder = cls(model, tokenizer)
            if not np.isfinite(encoder.encode(["a", "a longer sentence"])).all():
                raise ValueError("its vectors contain NaN or Inf")
        return encoder

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return one unit vector per text, (texts, size); their dot product is the cosine similarity.

        A text without tokens has the zero vector. Texts are truncated to the model's maximum input, at most 512
        tokens.
        """
        found = [np.zeros((0, int(self._model.config.hidden_size)))]
        with self._lock:
            for start in range(0, len(texts), _TEXTS_AT_ONCE):
                found.append(self._encoded(list(texts[start : start + _TEXTS_AT_ONCE])))
        return np.concatenate(found)

    @torch.inference_mode()
    def _encoded(self, texts: list[str]) -> npt.NDArray[np.float64]:
        # The tokenizer accepts valid UTF-8 only, which excludes lone surrogates.
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        inputs = self._tokenizer(
            clean, padding=True, truncation=True, max_length=self._longest, return_tensors="pt"
        ).to(self._model.device)
        if not inputs["input_ids"].numel():
            return np.zeros((len(texts), int(self._model.config.hidden_size)))
        states = self._model(**inputs).last_hidden_state.double()
        mask = inputs["attention_mask"].unsqueeze(-1)
        # Fill instead of multiplying: the states of a text without tokens may be NaN.
        mean = states.masked_fill(mask == 0, 0).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        vectors: npt.NDArray[np.float64] = torch.nn.functional.normalize(mean, dim=-1).cpu().numpy()
        return vectors


_PICTURES_AT_ONCE = 32


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
        parts = (paths[start : start + _PICTURES_AT_ONCE] for start in range(0, len(paths), _PICTURES_AT_ONCE))
        found = [self._encoded([pictures.inspect(path)[1] for path in part]) for part in parts]
        return np.concatenate(found) if found else np.zeros((0, 1))

    @torch.inference_mode()
    def _encoded(self, images: list[Any]) -> npt.NDArray[np.float64]:
        inputs = self._processor(images=images, return_tensors="pt").to(self._model.device)
        look = getattr(self._model, "get_image_features", self._model)
        features = look(pixel_values=inputs["pixel_values"])
        pooled = getattr(features, "pooler_output", None) if self._pooled else None
        vectors = features.last_hidden_state.mean(dim=1) if pooled is None else pooled
        found: npt.NDArray[np.float64] = vectors.flatten(start_dim=1).cpu().double().numpy()
        return found
