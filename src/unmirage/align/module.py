"""Compute the losses of a micro-batch in one module call, as distributed wrappers require."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from unmirage.align.config import Optimizations
from unmirage.align.features import shown
from unmirage.align.forward import PassBatch, raw_outputs, spoken
from unmirage.align.objective import RETAINING, Method, Parts, Stream, StreamName, Unit
from unmirage.align.reference import Reference
from unmirage.models.families import decoder_layers

Counts = Mapping[tuple[StreamName, Unit], float]
UNITS: tuple[Unit, ...] = ("rows", "tokens", "places", "batches")


class AlignModule(nn.Module):
    """The model in training, with the losses of its method."""

    def __init__(self, model: Any, method: Method, reference: Reference, optimizations: Optimizations) -> None:
        super().__init__()
        self.model = model
        # FSDP shards each of these separately and gathers all other weights with the first call. The rest is small, and
        # a process whose batch has a picture must not wait for others that have none.
        self._no_split_modules = sorted({type(layer).__name__ for layer in decoder_layers(model)})
        self._optimizations = optimizations
        self._method = method
        self._reference = reference

    def forward(self, batch: PassBatch, counts: Counts) -> dict[str, Tensor]:
        """Return the weighted parts of the loss, each divided by its count over the whole optimizer step.

        Args:
            counts: rows, tokens, places and micro-batches of the whole step, by stream.
        """
        streams = self._streams(batch)
        parts: Parts = {}
        if "forget" in streams:
            parts |= self._method.forget(replace(streams["forget"], prefer=streams.get("prefer")))
        for name in RETAINING:
            if name in streams:
                parts |= self._method.retain(streams[name], name)
        return {name: part.total / max(counts[part.stream, part.per], 1) for name, part in parts.items()}

    def _streams(self, batch: PassBatch) -> dict[StreamName, Stream]:
        wants = {name: self._method.wants(name) for name in batch.rows}
        needs = {name: self._method.needs(name) for name in batch.rows}
        said = self._reference.outputs(batch, needs)
        with shown(self.model, batch.features):
            raw = raw_outputs(self.model, batch, wants, self._method.config.layer, self._optimizations)
            policy = {name: spoken(self.model, batch, name, raw[name]) for name in batch.rows}
        return {
            name: Stream(end - start, batch.loss_rows(name), policy[name], said.get(name))
            for name, (start, end) in batch.rows.items()
        }


def count(batches: list[PassBatch]) -> dict[tuple[StreamName, Unit], float]:
    """Return the number of rows, loss tokens, places and micro-batches in these passes, by stream."""
    counts: dict[tuple[StreamName, Unit], float] = {}
    for batch in batches:
        for stream, (start, end) in batch.rows.items():
            found = {
                "rows": end - start,
                "tokens": int(batch.loss[start:end, 1:].sum()),
                "places": int(batch.places[start:end].sum()),
                "batches": 1,
            }
            for unit in UNITS:
                counts[stream, unit] = counts.get((stream, unit), 0) + found[unit]
    return counts
