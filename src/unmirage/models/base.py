"""The interface that every VLM implements, and its generation settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from unmirage.data.images import Pictures
from unmirage.records import Failure, Query, Response


class GenerationConfig(BaseModel):
    """Generation settings. At temperature 0 decoding is greedy: model, image and text determine the response.

    At a higher temperature, `seed` and the query's id determine it too; the other queries of the run do not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_new_tokens: int = Field(default=256, ge=1)
    batch_size: int | None = Field(
        default=None, ge=1, description="queries per batch; None finds the largest batch that fits in memory"
    )
    share_prefix: bool = Field(default=True, description="process an image once for all queries about it")
    temperature: float = Field(default=0, ge=0, allow_inf_nan=False, description="sampling temperature; 0 is greedy")
    seed: int = Field(default=0, ge=0, description="random seed for temperatures above 0")

    @model_serializer(mode="wrap")
    def _plain(self, told: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out sampling settings of greedy runs: they must match older runs, which lack these fields."""
        found: dict[str, Any] = told(self)
        drawing = ("temperature", "seed")
        return {key: value for key, value in found.items() if key not in drawing or self.temperature or self.seed}


class VLM(Protocol):
    """A vision-language model that answers queries about images."""

    name: str

    def answer(
        self, queries: Sequence[Query], images: Pictures, config: GenerationConfig
    ) -> Iterator[Response | Failure]:
        """Yield a response or a failure for each query, in any order."""
        ...
