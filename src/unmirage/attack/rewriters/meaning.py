"""Check whether a rewrite keeps the meaning of a query, by its content words and optionally a sentence encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from unmirage.errors import UserError
from unmirage.text.meaning import kept


class Encoder(Protocol):
    """Maps each text to a unit vector, for example `unmirage.models.sentences.SentenceEncoder`."""

    def encode(self, texts: Sequence[str], /) -> npt.NDArray[np.float64]:
        """Return (texts, size)."""
        ...


class MeaningCheck:
    """Accepts rewrites that keep enough of the query.

    Args:
        words: minimum share of the query's content words that a rewrite must keep; 0 disables this check.
        encoder: sentence encoder; None checks words only.
        similarity: minimum cosine similarity of rewrite and query, if there is an encoder.
        encoder_name: distinguishes encoders in `key`, for example the folder's name.
    """

    def __init__(
        self, words: float = 0.6, encoder: Encoder | None = None, similarity: float = 0.7, encoder_name: str = "encoder"
    ) -> None:
        for name, value in (("share of words", words), ("similarity", similarity)):
            if not 0 <= value <= 1:
                raise UserError(f"meaning check: {name} {value:g} is not between 0 and 1; use a value in that range")
        self._words = words
        self._encoder = encoder
        self._similarity = similarity
        self._encoder_name = encoder_name

    @property
    def key(self) -> str:
        """Return a text that is equal for checks with equal settings."""
        key = f"words>={self._words:g}"
        return key if self._encoder is None else f"{key}, {self._encoder_name}>={self._similarity:g}"

    def passes(self, query: str, rewrites: Sequence[str]) -> list[bool]:
        """Return for each rewrite whether it keeps the meaning of `query`."""
        passed = [kept(query, text) >= self._words for text in rewrites]
        if self._encoder is None or not any(passed):
            return passed
        vectors = self._encoder.encode([query, *rewrites])
        near = vectors[1:] @ vectors[0] >= self._similarity
        return [both and bool(one) for both, one in zip(passed, near, strict=True)]
