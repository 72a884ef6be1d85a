"""Rows of a stream in, what the model sees of them out: decoded text in which what carries loss is marked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from unmirage.align.estimate.result import Kind, RenderedSample
from unmirage.align.objective import StreamName
from unmirage.align.streams import PassCollator, Row, Rows
from unmirage.records import Sample
from unmirage.text.printable import clean


def rendered(
    name: StreamName, rows: Rows, samples: Sequence[Sample], processor: Any, collator: PassCollator, count: int = 3
) -> list[RenderedSample]:
    """Return `count` rows, spread evenly over the stream, with the very mask that training uses."""
    last = len(samples) - 1
    chosen = sorted({round(number * last / max(1, count - 1)) for number in range(count)})
    return [_rendered(name, rows, samples[index].id, index, processor, collator) for index in chosen]


def _rendered(
    name: StreamName, rows: Rows, sample_id: str, index: int, processor: Any, collator: PassCollator
) -> RenderedSample:
    batch = collator.batch({name: [Row(rows.samples[index])]})
    ids: list[int] = batch.inputs["input_ids"][0].tolist()
    loss: list[bool] = batch.loss[0].tolist()
    loss[0] = False  # nothing comes before the first token, from which it could be foretold
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
