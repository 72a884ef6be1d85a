"""The one small interface to a VLM: queries in, responses out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from unmirage.data.images import Pictures
from unmirage.records import Failure, Query, Response


class GenerationConfig(BaseModel):
    """How a model answers. Greedy at temperature 0: the answer is a function of model, picture and text.

    At a higher temperature it is also one of `seed` and the query's id, whatever else is asked at the same time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_new_tokens: int = Field(default=256, ge=1)
    batch_size: int | None = Field(default=None, ge=1, description="queries at once; None finds what memory holds")
    share_prefix: bool = Field(default=True, description="read a picture once for all queries on it")
    temperature: float = Field(default=0, ge=0, allow_inf_nan=False, description="0 is greedy")
    seed: int = Field(default=0, ge=0, description="of the draws at a temperature above 0")

    @model_serializer(mode="wrap")
    def _plain(self, told: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out how to draw where nothing is drawn: runs made before there was a choice are the same runs still."""
        found: dict[str, Any] = told(self)
        drawing = ("temperature", "seed")
        return {key: value for key, value in found.items() if key not in drawing or self.temperature or self.seed}


class VLM(Protocol):
    """A vision-language model that answers queries about pictures."""

    name: str

    def answer(
        self, queries: Sequence[Query], images: Pictures, config: GenerationConfig
    ) -> Iterator[Response | Failure]:
        """Yield one response for each query, in any order, or the reason why there is none."""
        ...
