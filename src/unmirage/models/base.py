"""The one small interface to a VLM: queries in, responses out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from unmirage.data.images import ImageFolder
from unmirage.records import Query, Response


class GenerationConfig(BaseModel):
    """How a model answers. Greedy: the answer is a function of model, picture and text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_new_tokens: int = Field(default=256, ge=1)
    batch_size: int = Field(default=16, ge=1)


class VLM(Protocol):
    """A vision-language model that answers queries about pictures."""

    name: str

    def answer(self, queries: Sequence[Query], images: ImageFolder, config: GenerationConfig) -> Iterator[Response]:
        """Yield one response for each query, in any order."""
        ...
