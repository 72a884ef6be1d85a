"""Show rows of a stream as the model sees them: decoded text in which the tokens that carry loss are marked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch

from unmirage.align.estimate.result import Kind, RenderedSample
from unmirage.align.objective import Need, StreamName
from unmirage.align.streams import PassCollator, Row, Rows
from unmirage.records import Sample
from unmirage.text.printable import clean


def rendered(
    name: StreamName,
    rows: Rows,
    samples: Sequence[Sample],
    processor: Any,
    collator: PassCollator,
    wants: frozenset[Need],
    count: int = 3,
) -> list[RenderedSample]:
    """Return rows of a stream, spread evenly over it, with the masks that training uses.

    Args:
        name: of the stream.
        rows: its rows.
        samples: of which they are made.
        processor: of the model.
        collator: of the run.
        wants: what the method wants of the policy on this stream. Tokens carry loss where it asks for their
            log-probability, or for their representation.
        count: how many rows.
    """
    last = len(samples) - 1
    chosen = sorted({round(number * last / max(1, count - 1)) for number in range(count)})
    return [_rendered(name, rows, samples[index].id, index, processor, collator, wants) for index in chosen]


def _rendered(
    name: StreamName,
    rows: Rows,
    sample_id: str,
    index: int,
    processor: Any,
    collator: PassCollator,
    wants: frozenset[Need],
) -> RenderedSample:
    batch = collator.batch({name: [Row(rows.samples[index])]})
    ids: list[int] = batch.inputs["input_ids"][0].tolist()
    predicted = batch.loss[0].clone()
    predicted[0] = False  # nothing comes before the first token, from which it could be predicted
    mask = predicted if wants - {"hidden"} else torch.zeros_like(predicted)
    if "hidden" in wants:
        mask = mask | batch.places[0]
    loss: list[bool] = mask.tolist()
    kinds: list[Kind] = [
        "image" if token == collator.image_token_id else "loss" if carries else "text"
        for token, carries in zip(ids, loss, strict=True)
    ]
    spans: list[tuple[Kind, str]] = []
    # Runs are decoded whole: a character may be made of several tokens.
    for kind, run in groupby(range(len(ids)), key=kinds.__getitem__):
        tokens = [ids[place] for place in run]
        text = f"<image ×{len(tokens)}>" if kind == "image" else clean(processor.tokenizer.decode(tokens))
        spans.append((kind, text))
    return RenderedSample(name, sample_id, len(ids), sum(loss), tuple(spans))
