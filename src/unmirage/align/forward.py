"""One forward pass over the rows of some streams, computing only the requested outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from unmirage.align.config import Optimizations
from unmirage.align.objective import Need, Outputs, StreamName
from unmirage.errors import UserError
from unmirage.models.families import (
    decoder,
    decoder_layers,
    forward_errors,
    last_hidden,
    output_logits,
    rows_apart,
    structure_of,
)

Needs = Mapping[StreamName, frozenset[Need]]


@dataclass(frozen=True, slots=True)
class PassBatch:
    """The rows of the streams that share one forward pass, right-padded.

    Attributes:
        inputs: model inputs; `input_ids` is (rows, tokens).
        loss: (rows, tokens) True on tokens with loss.
        places: (rows, tokens) True where representations count.
        rows: first and last + 1 row of each stream.
        cached: cached reference outputs by stream, flattened as in `Outputs` ("final" instead of logits).
        features: cached features of the pictures; None if the vision tower computes them.
    """

    inputs: dict[str, Tensor]
    loss: Tensor
    places: Tensor
    rows: Mapping[StreamName, tuple[int, int]]
    cached: Mapping[StreamName, Mapping[str, Tensor]]
    features: Tensor | None = None

    def to(self, device: Any, non_blocking: bool = False) -> PassBatch:
        """Return the batch on a device."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=non_blocking)

        return PassBatch(
            inputs={key: move(tensor) for key, tensor in self.inputs.items()},
            loss=move(self.loss),
            places=move(self.places),
            rows=self.rows,
            cached={name: {kind: move(one) for kind, one in kept.items()} for name, kept in self.cached.items()},
            features=None if self.features is None else move(self.features),
        )

    def loss_rows(self, stream: StreamName) -> Tensor:
        """Return (n,): the row index within the stream of each loss token."""
        start, end = self.rows[stream]
        return self.loss[start:end, 1:].nonzero()[:, 0]


@dataclass(frozen=True, slots=True)
class Raw:
    """Requested outputs of one forward pass, before the output layer.

    Attributes:
        final: (n, width) last hidden state that predicts each loss token; None if not requested.
        hidden: (m, width) output of the chosen decoder layer at the places; None if not requested.
        logits: (n, vocabulary), if logits were computed for all tokens; else None.
    """

    final: Tensor | None
    hidden: Tensor | None
    logits: Tensor | None = None


def raw_outputs(
    model: Any, batch: PassBatch, needs: Needs, layer: int, optimizations: Optimizations
) -> dict[StreamName, Raw]:
    """Run `model` once over the batch.

    Args:
        needs: requested outputs by stream; other streams are ignored.
        layer: 1-based decoder layer of the representations.
    """
    asked = frozenset[Need]().union(*needs.values())
    shallow = asked == {"hidden"}
    watched = decoder_layers(model)[layer - 1] if "hidden" in asked else None
    with first_layers(model, layer if shallow and optimizations.stop_early else None), forward_errors(model):
        last, seen = _read(model, batch.inputs, watched)
    everywhere = None if shallow or optimizations.answer_logits else output_logits(model, last)
    return {stream: _of_stream(batch, stream, needs[stream], last, everywhere, seen) for stream in needs}


def _read(model: Any, inputs: dict[str, Tensor], watched: nn.Module | None) -> tuple[Tensor, Tensor | None]:
    """Return (rows, tokens, width): the last hidden states, and the output of a layer; None if it does not run."""
    found, seen = [], []
    passes = rows_apart(inputs)
    for _, part in passes:
        with _captured(watched, _width(model)) as one:
            found.append(last_hidden(model, part))
        seen += one[:1]
    if len(passes) == 1:
        return found[0], seen[0] if seen else None
    back = torch.cat([rows for rows, _ in passes]).argsort()
    whole = torch.cat(seen).index_select(0, back) if len(seen) == len(passes) else None
    return torch.cat(found).index_select(0, back), whole


def _of_stream(
    batch: PassBatch,
    stream: StreamName,
    needs: frozenset[Need],
    last: Tensor,
    everywhere: Tensor | None,
    seen: Tensor | None,
) -> Raw:
    if "hidden" in needs and seen is None:  # Llama 3.2 Vision skips some layers without an image
        raise UserError("method.layer: this decoder layer does not run on samples without an image; name another layer")
    rows = slice(*batch.rows[stream])
    speaks = bool(needs & {"log_probs", "logits"})
    before = batch.loss[rows, 1:]
    return Raw(
        final=last[rows, :-1][before] if speaks else None,
        hidden=seen[rows][batch.places[rows]] if seen is not None and "hidden" in needs else None,
        logits=everywhere[rows, :-1][before] if speaks and everywhere is not None else None,
    )


def spoken(model: Any, batch: PassBatch, stream: StreamName, raw: Raw, head: nn.Module | None = None) -> Outputs:
    """Return the outputs of a pass: log-probabilities of the loss tokens, logits, representations.

    Args:
        raw: result of `raw_outputs` for the stream.
        head: output layer to use instead of the model's own.
    """
    if raw.final is None:
        empty = batch.inputs["input_ids"].new_zeros(0, dtype=torch.float32)
        return Outputs(empty, None, raw.hidden)
    logits = raw.logits if raw.logits is not None else output_logits(model, raw.final, head)
    rows = slice(*batch.rows[stream])
    targets = batch.inputs["input_ids"][rows, 1:][batch.loss[rows, 1:]]
    return Outputs(log_probs_of(logits, targets), logits, raw.hidden)


def log_probs_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Return (n,): log softmax of `logits` (n, vocabulary) in float32 at `targets` (n,)."""
    return logits.float().log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)


@contextmanager
def first_layers(model: Any, layers: int | None) -> Iterator[None]:
    """Stop the decoder after its first `layers` layers, which saves the time and memory of the rest."""
    if layers is None:
        yield
        return
    text, where = decoder(model), structure_of(model)
    before = {name: getattr(text, name) for name in (where.layers, where.norm) if name}
    setattr(text, where.layers, before[where.layers][:layers])
    if where.norm:
        setattr(text, where.norm, nn.Identity())
    try:
        yield
    finally:
        for name, module in before.items():
            setattr(text, name, module)


def _width(model: Any) -> int:
    """Return the width of the hidden states; 0 if the config does not tell."""
    return int(getattr(model.config.get_text_config(), "hidden_size", 0) or 0)


@contextmanager
def _captured(layer: nn.Module | None, width: int) -> Iterator[list[Tensor]]:
    """Collect the output of the first call of `layer`; gradient checkpointing calls it again later."""
    seen: list[Tensor] = []
    if layer is None:
        yield seen
        return

    def capture(_module: Any, _inputs: Any, output: Any) -> None:
        if not seen:
            seen.append(output[0] if isinstance(output, tuple) else output)
            if seen[0].dim() != 3 or (width and seen[0].shape[-1] != width):  # Gemma 3n keeps several streams
                raise UserError(
                    "method with representations: the model's decoder layers give no single hidden state per token "
                    f"(shape {tuple(seen[0].shape)}); use a method on responses, for example npo"
                )

    with layer.register_forward_hook(capture):
        yield seen
