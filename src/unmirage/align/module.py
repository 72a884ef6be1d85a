"""Compute the losses of a micro-batch in one module call, which distributed wrappers need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from unmirage.align.config import Savings
from unmirage.align.features import shown
from unmirage.align.forward import PassBatch, raw_outputs, spoken
from unmirage.align.objective import RETAINING, Method, Outputs, Parts, Stream, StreamName, Unit
from unmirage.align.reference import Reference
from unmirage.models.families import decoder_layers

Counts = Mapping[tuple[StreamName, Unit], float]
UNITS: tuple[Unit, ...] = ("rows", "tokens", "places", "batches")


class AlignModule(nn.Module):
    """The model being trained, with the losses of its method."""

    def __init__(self, model: Any, method: Method, reference: Reference, savings: Savings) -> None:
        super().__init__()
        self.model = model
        # FSDP shards each of these by itself, and gathers all else with the first call: the rest is small, and a
        # picture that only one process has to look at must not make it wait for the others.
        self._no_split_modules = sorted({type(layer).__name__ for layer in decoder_layers(model)})
        self._savings = savings
        self._method = method
        self._reference = reference

    def forward(self, batch: PassBatch, counts: Counts) -> dict[str, Tensor]:
        """Return the weighted parts of the loss, each divided by its count over the whole optimiser step.

        Args:
            batch: the rows of one pass.
            counts: how many rows, tokens, places and micro-batches the whole step has, by stream.
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
            raw = raw_outputs(self.model, batch, wants, self._method.config.layer, self._savings)
            return {
                name: self._stream(batch, name, spoken(self.model, batch, name, raw[name]), said) for name in batch.rows
            }

    @staticmethod
    def _stream(batch: PassBatch, name: StreamName, policy: Outputs, said: Mapping[StreamName, Outputs]) -> Stream:
        start, end = batch.rows[name]
        return Stream(end - start, batch.loss_rows(name), policy, said.get(name))


def count(batches: list[PassBatch]) -> dict[tuple[StreamName, Unit], float]:
    """Return how many rows, loss tokens, places and micro-batches the passes of some micro-batches have, by stream."""
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
