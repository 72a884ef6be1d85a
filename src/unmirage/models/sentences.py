"""A local text encoder: sentences in, one vector of length 1 each out."""

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
    """A Hugging Face text model (BERT, MiniLM, MPNet and their kin), averaged over the words of a sentence.

    That is how most sentence encoders are meant to be read; one that wants its first token gives poorer vectors.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model
        self._tokenizer = tokenizer
        # Two of the positions are taken in RoBERTa-like models; in others, nobody misses them.
        positions = getattr(model.config, "max_position_embeddings", None) or _MOST_TOKENS + 2
        self._longest = min(_MOST_TOKENS, positions - 2, tokenizer.model_max_length)
        self._lock = threading.Lock()  # a fast tokenizer must not be used by two threads at once

    @classmethod
    def load(cls, folder: Path) -> SentenceEncoder:
        """Load a directory, and try it. Only safetensors are read, and no code of the directory is run.

        Raises:
            UserError: no usable text model is there.
        """
        check_encoder(folder, "text")
        # Without them, a tokenizer that knows no words is made up, and all texts look alike.
        if not any((folder / name).is_file() for name in _VOCABULARIES):
            raise UserError(f"encoder '{folder}': no tokenizer; valid: {', '.join(_VOCABULARIES)} beside the weights")
        with encoder_errors(folder, "cannot be loaded"):
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        model, _ = load_encoder(folder)  # the average needs no pooling layer
        with encoder_errors(folder, "takes no sentences"):
            encoder = cls(model, tokenizer)
            if not np.isfinite(encoder.encode(["a", "a longer sentence"])).all():
                raise ValueError("its vectors hold NaN or infinities")
        return encoder

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return one vector a text, (texts, size), of length 1; their dot product is the cosine similarity.

        A text without tokens has the vector 0.
        What is beyond the model's longest input, at most 512 tokens, does not count.
        """
        found = [np.zeros((0, int(self._model.config.hidden_size)))]
        with self._lock:
            for start in range(0, len(texts), _BATCH):
                found.append(self._encoded(list(texts[start : start + _BATCH])))
        return np.concatenate(found)

    @torch.inference_mode()
    def _encoded(self, texts: list[str]) -> npt.NDArray[np.float64]:
        # The tokenizer takes UTF-8 only, which lone surrogates are not.
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        inputs = self._tokenizer(
            clean, padding=True, truncation=True, max_length=self._longest, return_tensors="pt"
        ).to(self._model.device)
        if not inputs["input_ids"].numel():
            return np.zeros((len(texts), int(self._model.config.hidden_size)))
        states = self._model(**inputs).last_hidden_state.double()
        mask = inputs["attention_mask"].unsqueeze(-1)
        # Filled, not multiplied: what a model makes of a text without tokens may be no number.
        mean = states.masked_fill(mask == 0, 0).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        vectors: npt.NDArray[np.float64] = torch.nn.functional.normalize(mean, dim=-1).cpu().numpy()
        return vectors
