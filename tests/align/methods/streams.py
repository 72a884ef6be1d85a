"""Streams made by hand or drawn at random, as a method sees them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from unmirage.align.objective import Outputs, Stream, StreamName

ROW = torch.tensor([0, 0, 0, 1])  # three loss tokens in the first row, one in the second


def spoken(log_probs: list[float], ref: list[float] | None = None, row: list[int] | None = None) -> Stream:
    """Return a stream of which only log-probabilities are known, all of one row unless `row` says otherwise."""
    rows = torch.zeros(len(log_probs), dtype=torch.long) if row is None else torch.tensor(row)
    said = None if ref is None else Outputs(torch.tensor(ref))
    return Stream(int(rows.max()) + 1, rows, Outputs(torch.tensor(log_probs)), said)


def placed(hidden: list[list[float]], ref: list[list[float]] | None = None) -> Stream:
    """Return a stream of one row of which only representations are known."""
    nothing, row = torch.zeros(0), torch.zeros(0, dtype=torch.long)
    said = None if ref is None else Outputs(nothing, hidden=torch.tensor(ref))
    return Stream(1, row, Outputs(nothing, hidden=torch.tensor(hidden)), said)


def outputs(seed: int, *, grad: bool) -> Outputs:
    """Return everything that a model may say at the loss tokens of `ROW`, over 8 words and 5 places of width 4."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(4, 8, generator=generator).requires_grad_(grad)
    hidden = torch.randn(5, 4, generator=generator).requires_grad_(grad)
    targets = torch.tensor([[1], [2], [3], [4]])
    return Outputs(logits.log_softmax(-1).gather(-1, targets).squeeze(-1), logits, hidden)


def full(seed: int) -> dict[StreamName, Stream]:
    """Return all three streams with all that may be known of them."""
    names: tuple[StreamName, ...] = ("forget", "prefer", "retain")
    return {
        name: Stream(2, ROW, outputs(seed + 10 * at, grad=True), outputs(seed + 10 * at + 1, grad=False))
        for at, name in enumerate(names)
    }


def only(said: Outputs, kinds: frozenset[str]) -> Outputs:
    """Return of the outputs what `kinds` names; the rest as if nobody had asked."""
    return Outputs(
        said.log_probs if kinds & {"log_probs", "logits"} else torch.zeros(0),
        said.logits if "logits" in kinds else None,
        said.hidden if "hidden" in kinds else None,
    )


def repeated(stream: Stream) -> Stream:
    """Return the stream with each of its rows twice, one copy after the other."""

    def twice(said: Outputs | None) -> Outputs | None:
        if said is None:
            return None
        return Outputs(*(None if one is None else torch.cat([one, one]) for one in parts(said)))

    policy = twice(stream.policy)
    assert policy is not None
    row = torch.cat([stream.row, stream.row + stream.rows])
    return replace(stream, rows=2 * stream.rows, row=row, policy=policy, reference=twice(stream.reference))


def parts(said: Outputs) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return the fields of outputs in order."""
    return said.log_probs, said.logits, said.hidden
