"""Does a rewrite still ask what the query asks? By the words that carry the meaning and, if given, by an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from unmirage.errors import UserError
from unmirage.text.meaning import kept


class Encoder(Protocol):
    """Gives each text a vector of length 1, such as `unmirage.models.sentences.SentenceEncoder`."""

    def encode(self, texts: Sequence[str], /) -> npt.NDArray[np.float64]:
        """Return (texts, size)."""
        ...


class MeaningCheck:
    """Passes rewrites that keep enough of the query.

    Args:
        words: share of the query's content words that a rewrite must keep; 0 checks none.
        encoder: a sentence encoder; None leaves it at the words.
        similarity: cosine similarity that a rewrite must reach if there is an encoder.
        encoder_name: tells encoders apart in `key`, such as the folder's name.
    """

    def __init__(
        self, words: float = 0.6, encoder: Encoder | None = None, similarity: float = 0.7, encoder_name: str = "encoder"
    ) -> None:
        for name, value in (("share of words", words), ("similarity", similarity)):
            if not 0 <= value <= 1:
                raise UserError(f"meaning check: {name} {value:g} is not between 0 and 1")
        self._words = words
        self._encoder = encoder
        self._similarity = similarity
        self._encoder_name = encoder_name

    @property
    def key(self) -> str:
        """Return what the check depends on; equal for equal checks."""
        key = f"words>={self._words:g}"
        return key if self._encoder is None else f"{key}, {self._encoder_name}>={self._similarity:g}"

    def passes(self, query: str, rewrites: Sequence[str]) -> list[bool]:
        """Say for each rewrite whether it still asks what `query` asks."""
        passed = [kept(query, text) >= self._words for text in rewrites]
        if self._encoder is None or not any(passed):
            return passed
        vectors = self._encoder.encode([query, *rewrites])
        near = vectors[1:] @ vectors[0] >= self._similarity
        return [both and bool(one) for both, one in zip(passed, near, strict=True)]
