"""Encode samples once, draw them in a reproducible order, and collate them into batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset

from unmirage.align.forward import PassBatch
from unmirage.align.objective import StreamName, Tokens
from unmirage.align.sampler import Order
from unmirage.align.sinks import without
from unmirage.data.images import Pictures
from unmirage.errors import UserError, one_line
from unmirage.models.batches import is_out_of_memory
from unmirage.models.conversation import Conversation, once_opened
from unmirage.models.encoding import IGNORED, REFUSED, Example, collate, encode_example
from unmirage.records import Sample, SinkCount

_CACHE_BYTES = 2**30
Plan = tuple[tuple[StreamName, ...], ...]
Places = Literal["content", "all"]


class EncodedSamples:
    """Samples as training examples, encoded on first use and cached in memory up to 1 GiB."""

    def __init__(
        self, samples: Sequence[Sample], processor: Any, images: Pictures, *, mark_query: bool = False
    ) -> None:
        self._samples = samples
        self._processor = processor
        self._images = images
        self._mark_query = mark_query
        self._cache: dict[int, Example] = {}
        self._cached_bytes = 0

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Example:
        if index in self._cache:
            return self._cache[index]
        sample = self._samples[index]
        try:
            asked = Conversation.of(sample, once_opened(self._images))
            example = encode_example(self._processor, asked, sample.answer, mark_query=self._mark_query)
        except REFUSED as error:
            if isinstance(error, RuntimeError) and is_out_of_memory(error):
                raise
            why = error if isinstance(error, UserError) else f"the processor rejects it: {one_line(error, 200)}"
            raise UserError(f"sample '{sample.id[:80]}': {why}") from error
        if self._cached_bytes + example.bytes <= _CACHE_BYTES:
            self._cache[index] = example
            self._cached_bytes += example.bytes
        return example

    def first_shown(self, indices: Iterable[int]) -> dict[int, int]:
        """Return, by sample, the first sample with the same pictures; samples without a picture are left out."""
        first: dict[tuple[str, ...], int] = {}
        named = ((index, self._samples[index].paths) for index in indices)
        return {index: first.setdefault(paths, index) for index, paths in named if paths}

    def length(self, index: int) -> int:
        """Return the approximate length of a sample in characters, without encoding it."""
        sample = self._samples[index]
        return len(sample.query) + len(sample.answer) + sum(len(turn.text) for turn in sample.context)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a stream: the example and its cached outputs.

    Attributes:
        cached: cached reference outputs by kind; see `PassBatch.cached`.
        features: cached features of its pictures by the frozen vision tower.
        sinks: (places,) True for the attention sinks among its places; None if they are not excluded.
    """

    example: Example
    cached: Mapping[str, Tensor] = field(default_factory=dict)
    features: Tensor | None = None
    sinks: Tensor | None = None


class Rows:
    """The rows of one stream by number: its examples with their cached outputs."""

    def __init__(self, samples: EncodedSamples) -> None:
        self.samples = samples
        self.cached: dict[str, Any] = {}
        self.features: Any = None
        self.sinks: Mapping[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.samples)

    def counted_sinks(self) -> SinkCount | None:
        """Return how many places of the drawn rows are attention sinks; None if they are not excluded."""
        if not self.sinks:
            return None
        return SinkCount(
            places=sum(len(one) for one in self.sinks.values()),
            sinks=sum(int(one.sum()) for one in self.sinks.values()),
        )

    def __getitem__(self, index: int) -> Row:
        example = self.samples[index]
        features = None if self.features is None or "pixel_values" not in example.extras else self.features[index]
        return Row(
            example, {kind: cache[index] for kind, cache in self.cached.items()}, features, self.sinks.get(index)
        )


class PairedStreams(Dataset[dict[StreamName, Row]]):
    """Dataset whose item i is the i-th row of each stream, in the order of that stream."""

    def __init__(self, streams: Mapping[StreamName, Rows], orders: Mapping[StreamName, Order], length: int) -> None:
        self._streams = streams
        self._orders = orders
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> dict[StreamName, Row]:
        return {name: stream[self._orders[name].sample_at(index)] for name, stream in self._streams.items()}

    def drawn(self, stream: StreamName) -> list[int]:
        """Return the numbers of all samples of a stream that the run will use, ascending."""
        return sorted({self._orders[stream].sample_at(index) for index in range(self._length)})


@dataclass(frozen=True, slots=True)
class PassCollator:
    """Collate rows into one batch for each forward pass.

    Attributes:
        pad_token_id: token for right padding.
        image_token_id: placeholder of image features; None for a model without one.
        plan: which streams share a forward pass.
        tokens: which tokens of a stream have loss.
        places: which representations count. "content": tokens of the query and the answer, including its end token, but
            not the start token, the chat template, the picture or padding, nor the sinks of the rows. "all": every
            place up to the end of the stream's longest row, so that further padding does not matter.
    """

    pad_token_id: int
    image_token_id: int | None
    plan: Plan
    tokens: Mapping[StreamName, Tokens]
    places: Places = "content"

    def __call__(self, items: Sequence[Mapping[StreamName, Row]]) -> list[PassBatch]:
        """Return the passes of one micro-batch."""
        return [self.batch({name: [item[name] for item in items] for name in names}) for names in self.plan]

    def batch(self, streams: Mapping[StreamName, Sequence[Row]]) -> PassBatch:
        """Return the rows of several streams as one batch."""
        rows = [row for stream in streams.values() for row in stream]
        inputs = collate([row.example for row in rows], self.pad_token_id)
        answer = inputs.pop("labels") != IGNORED
        query = inputs.pop("query_mask").bool()
        spans, start = {}, 0
        loss = torch.zeros_like(answer)
        for name, stream in streams.items():
            spans[name] = (start, start + len(stream))
            here = slice(*spans[name])
            loss[here] = {"answer": answer, "query": query, "all": answer | query}[self.tokens[name]][here]
            start += len(stream)
        features = [row.features for row in rows if row.features is not None]
        content = without(answer | query, [row.sinks for row in rows])
        return PassBatch(
            inputs=inputs,
            loss=loss,
            places=content if self.places == "content" else _to_the_longest(inputs["attention_mask"], spans),
            rows=spans,
            cached={
                name: {kind: torch.cat([row.cached[kind] for row in stream]) for kind in stream[0].cached}
                for name, stream in streams.items()
            },
            features=torch.cat(features) if features else None,
        )


def _to_the_longest(attention_mask: Tensor, spans: Mapping[StreamName, tuple[int, int]]) -> Tensor:
    places = torch.zeros_like(attention_mask, dtype=torch.bool)
    for start, end in spans.values():
        places[start:end, : int(attention_mask[start:end].sum(1).max())] = True
    return places
