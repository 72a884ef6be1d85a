"""Stop a training when the responses to benign validation queries lose relevance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from unmirage.data import open_samples
from unmirage.data.rows import with_unique_ids
from unmirage.errors import UserError
from unmirage.evaluate.relevance import TextEncoder, similarities
from unmirage.evaluate.unlearning_settings import TOLERANCE
from unmirage.models.base import GenerationConfig
from unmirage.records import Response, Sample
from unmirage.run.fingerprint import sha256_of
from unmirage.workflows.arguments import PathLike
from unmirage.workflows.evaluate import sentence_encoder
from unmirage.workflows.validation import drawn, held_out, plain

if TYPE_CHECKING:
    from unmirage.data.images import Pictures
    from unmirage.models import HuggingFaceVLM

EVERY, QUERIES, NEW_TOKENS = 10, 24, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class RelevanceStop:
    """Settings of an early stop on relevance.

    Attributes:
        encoder: directory of a sentence encoder, or an object with `encode`.
        validation: file with benign queries that are not in the training data.
        drop: maximum drop of the mean relevance, compared with the model before training.
        every: steps between two checks; the last step is checked too.
        queries: number of benign queries per check.
        max_new_tokens: maximum new tokens per response.
        images: folder of the pictures of `validation`; None for the folder of the file.
    """

    encoder: PathLike | TextEncoder
    validation: PathLike
    drop: float = TOLERANCE
    every: int = EVERY
    queries: int = QUERIES
    max_new_tokens: int = NEW_TOKENS
    images: PathLike | None = None

    def __post_init__(self) -> None:
        """Raise `UserError` if a value is out of range."""
        if not 0 < self.drop <= 1:
            raise UserError(f"stop_relevance: {self.drop:g} is out of range; valid: above 0, at most 1")
        for name, value in {"check_every": self.every, "check_queries": self.queries}.items():
            if value < 1:
                raise UserError(f"{name}: {value} is out of range; valid: 1 or more")

    def identity(self) -> dict[str, Any]:
        """Return the settings that a resumed training must have, too."""
        name = self.encoder if isinstance(self.encoder, str | Path) else type(self.encoder).__name__
        return {
            "stop_relevance": {
                "drop": self.drop,
                "every": self.every,
                "queries": self.queries,
                "max_new_tokens": self.max_new_tokens,
                "encoder": Path(name).name,
                "validation": sha256_of(Path(self.validation)),
            }
        }

    def watch(self, training: Sequence[Sample]) -> RelevanceWatch:
        """Load encoder and queries.

        Args:
            training: samples of the training data, which the validation queries must not contain.

        Raises:
            UserError: the file has no benign query, or all of them are in the training data.
        """
        file = open_samples(Path(self.validation), images=None if self.images is None else Path(self.images))
        benign = [one for one in with_unique_ids(file) if not one.refused]
        if not benign:
            raise UserError(
                f"{self.validation}: no benign query; name a file with some that are not in the training data"
            )
        new = held_out(benign, training)
        if not new:
            raise UserError(
                f"{self.validation}: all {len(benign)} benign queries are in the training data; name a file with others"
            )
        encoder, _ = sentence_encoder(self.encoder)
        found = RelevanceWatch(drawn(new, self.queries), file.pictures, encoder, self)
        found.left_out = len(benign) - len(new)
        return found


def relevance_stop(
    drop: float | None,
    *,
    encoder: PathLike | TextEncoder | None = None,
    validation: PathLike | None = None,
    every: int | None = None,
    queries: int | None = None,
    images: PathLike | None = None,
) -> RelevanceStop | None:
    """Return the early stop that some options describe; None without `drop`.

    Raises:
        UserError: an option is missing, out of range, or has no effect.
    """
    others = {"encoder": encoder, "validation": validation, "check_every": every, "check_queries": queries}
    if drop is None:
        if given := [name for name, value in others.items() if value is not None]:
            raise UserError(f"{given[0]}: has no effect without stop_relevance; add it, or leave this option out")
        return None
    if encoder is None or validation is None:
        lacking = "encoder" if encoder is None else "validation"
        raise UserError(f"stop_relevance: needs {lacking}; name a {_NEEDED[lacking]}")
    return RelevanceStop(
        encoder=encoder,
        validation=validation,
        drop=drop,
        every=EVERY if every is None else every,
        queries=QUERIES if queries is None else queries,
        images=images,
    )


_NEEDED = {
    "encoder": "directory of a sentence encoder",
    "validation": "file with benign queries that are not in the training data",
}


class RelevanceWatch:
    """Measures the mean relevance of short responses to a few benign queries.

    Args:
        samples: benign samples.
        images: their pictures.
        encoder: sentence encoder.
        stop: settings.
    """

    left_out = 0  # benign queries of the file that are in the training data

    def __init__(self, samples: Sequence[Sample], images: Pictures, encoder: TextEncoder, stop: RelevanceStop) -> None:
        self.every = stop.every
        self._queries = plain(samples)
        self._images = images
        self._encoder = encoder
        self._stop = stop

    def measure(self, vlm: HuggingFaceVLM, step: int) -> float:  # noqa: ARG002
        """Return the mean relevance; a query without a response counts as 0."""
        config = GenerationConfig(max_new_tokens=self._stop.max_new_tokens, batch_size=min(16, len(self._queries)))
        said = {
            one.query_id: one.text
            for one in vlm.answer(self._queries, self._images, config)
            if isinstance(one, Response)
        }
        texts = [query.text for query in self._queries]
        return fmean(similarities(self._encoder, texts, [said.get(query.id, "") for query in self._queries]))

    def verdict(self, start: float, now: float) -> str:
        """Return why the training must stop, or ""."""
        if now >= start - self._stop.drop:
            return ""
        return (
            f"relevance of {len(self._queries)} benign responses fell from {start:.3f} to {now:.3f}, by more than "
            f"{self._stop.drop:g}"
        )
