"""Outputs of the frozen reference for a batch: from a cache, from the model without its adapter, or from a copy."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from unmirage.align.config import Optimizations
from unmirage.align.features import shown
from unmirage.align.forward import Needs, PassBatch, raw_outputs, spoken
from unmirage.align.lora import adapter_off
from unmirage.align.objective import Need, Outputs, StreamName, freeze
from unmirage.models.families import output_layer, output_logits

# What is cached for each output of the reference. Logits are cached as the last hidden state, from which the frozen
# output layer recomputes them: `width` numbers per token instead of `vocabulary`.
KEPT: dict[Need, str] = {"log_probs": "log_probs", "logits": "final", "hidden": "hidden"}


class Reference:
    """Outputs of the model as it was before training.

    Args:
        model: the model before training, with its adapter if it has one.
        adapted: True if the model has an adapter that can be disabled.
        cached: True if batches contain cached outputs, so that the reference never runs again.
        logits: True if logits are ever needed.
    """

    def __init__(
        self, model: Any, layer: int, optimizations: Optimizations, *, adapted: bool, cached: bool, logits: bool = True
    ) -> None:
        self._model = model
        self._layer = layer
        self._optimizations = optimizations
        self._off = adapted and optimizations.adapter_off
        self._copy = None if cached or self._off else freeze(copy.deepcopy(model))
        self._head = _frozen_head(model) if cached and logits else None

    def outputs(self, batch: PassBatch, needs: Needs) -> Mapping[StreamName, Outputs]:
        """Return the needed outputs for the streams of a batch."""
        wanted = {stream: need for stream, need in needs.items() if need}
        if not wanted:
            return {}
        with torch.no_grad():
            if all(batch.cached[stream] for stream in wanted):
                return {stream: self._remembered(batch, stream, need) for stream, need in wanted.items()}
            return self._asked(batch, wanted)

    def _asked(self, batch: PassBatch, needs: Needs) -> Mapping[StreamName, Outputs]:
        model = self._model if self._copy is None else self._copy
        trains = model.training
        model.eval()  # disables dropout
        try:
            with adapter_off(model) if self._off else nullcontext(), shown(model, batch.features):
                raw = raw_outputs(model, batch, needs, self._layer, self._optimizations)
                return {stream: spoken(model, batch, stream, one) for stream, one in raw.items()}
        finally:
            model.train(trains)

    def _remembered(self, batch: PassBatch, stream: StreamName, needs: frozenset[Need]) -> Outputs:
        kept = batch.cached[stream]
        logits = output_logits(self._model, kept["final"], self._head) if "logits" in needs else None
        said = kept.get("log_probs", kept[KEPT[next(iter(needs))]].new_zeros(0))
        return Outputs(said, logits, kept.get("hidden"))


def _frozen_head(model: Any) -> nn.Module | None:
    """Return a copy of the output layer if training would change it, else None."""
    head = output_layer(model)
    if not any(parameter.requires_grad for parameter in head.parameters()):
        return None
    return freeze(copy.deepcopy(head))
