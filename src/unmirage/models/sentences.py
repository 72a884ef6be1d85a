"""Encode sentences as unit vectors with a local text encoder."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoTokenizer

from unmirage.errors import UserError
from unmirage.models.encoders import check_encoder, encoder_errors, load_encoder

_BATCH = 64
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
            for start in range(0, len(texts), _BATCH):
                found.append(self._encoded(list(texts[start : start + _BATCH])))
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
