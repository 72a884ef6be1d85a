"""Measure what each sample costs (tokens, tokens with loss, tiles), and refuse samples that do not fit."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unmirage.align.dataset import EncodedSamples, PassCollator, Row, Rows
from unmirage.align.estimate.blocks import Shape, vision_tokens
from unmirage.align.objective import StreamName
from unmirage.errors import UserError
from unmirage.models.encoding import Example
from unmirage.records import Sample

_LONGEST = 0.25  # share of the measured samples that are the longest texts; the others are spread evenly


@dataclass(frozen=True, slots=True)
class Size:
    """Size of one row.

    Attributes:
        tokens, loss_tokens, image_tokens: all tokens, those with loss, and those of the picture.
        places: tokens whose representation counts.
        tiles, tile_tokens: tiles of the picture in the vision tower (0 without one), and tokens per tile.
        row: the measured row: this one, or the one with the most similar text length.
        measured: whether this row was measured.
    """

    tokens: int
    loss_tokens: int
    places: int
    image_tokens: int
    tiles: int
    tile_tokens: int
    row: int
    measured: bool = True


Load = Mapping[StreamName, Sequence[Size]]  # the rows of one pass, by stream


class SizedRows(Rows):
    """Sizes in place of the rows of a stream, to plan a whole run without encoding it."""

    def __init__(self, samples: EncodedSamples, sizes: Sequence[Size]) -> None:
        super().__init__(samples)
        self.sizes = sizes

    def __getitem__(self, index: int) -> Size:  # type: ignore[override]  # stands in for the row
        return self.sizes[index]


def sized(name: StreamName, rows: Rows, shape: Shape, collator: PassCollator, measure: int) -> SizedRows:
    """Return the sizes of all rows of a stream; at most `measure` are encoded, among them the longest texts."""
    samples, count = rows.samples, len(rows)
    by_length = sorted(range(count), key=samples.length)
    if count <= measure:
        chosen = set(range(count))
    else:
        longest = max(1, round(_LONGEST * measure))
        rest = max(1, measure - longest)
        chosen = {*by_length[-longest:], *(number * count // rest for number in range(rest))}
    measured = {index: _size(name, index, samples[index], shape, collator) for index in sorted(chosen)}
    known = [index for index in by_length if index in measured]
    lengths = [samples.length(index) for index in known]
    return SizedRows(
        samples,
        [
            measured.get(index) or replace(measured[known[_near(lengths, samples.length(index))]], measured=False)
            for index in range(count)
        ],
    )


def _size(name: StreamName, row: int, example: Example, shape: Shape, collator: PassCollator) -> Size:
    batch = collator.batch({name: [Row(example)]})
    image = collator.image_token_id
    tiles, tile_tokens = vision_tokens(shape, example.extras.get("pixel_values"))
    return Size(
        tokens=example.tokens,
        loss_tokens=int(batch.loss[:, 1:].sum()),
        places=int(batch.places.sum()),
        image_tokens=0 if image is None else int((example.input_ids == image).sum()),
        tiles=tiles,
        tile_tokens=tile_tokens,
        row=row,
    )


def _near(lengths: Sequence[int], wanted: int) -> int:
    """Return the index of the number nearest to `wanted` in ascending `lengths`."""
    right = min(bisect_left(lengths, wanted), len(lengths) - 1)
    return right if right == 0 or lengths[right] - wanted < wanted - lengths[right - 1] else right - 1


def position_limit(model: Any) -> int | None:
    """Return the model's maximum number of tokens; None if its config has none."""
    limit: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return limit


def check_lengths(
    rows: Mapping[StreamName, Rows],
    streams: Mapping[StreamName, Sequence[Sample]],
    model: Any,
    drawn: Mapping[StreamName, Iterable[int]] | None = None,
) -> None:
    """Raise `UserError` for a sample that is longer than the model supports.

    Truncation is not safe: a picture would lose image tokens, or an answer the end token that stops generation.

    Args:
        rows, streams: rows of each stream, and their samples in the same order.
        model: the model.
        drawn: the rows that the run uses; None for all.
    """
    limit = position_limit(model)
    if limit is None:
        return
    for name, stream in rows.items():
        for index in range(len(stream)) if drawn is None else drawn[name]:
            tokens = stream.samples[index].tokens
            if tokens > limit:
                raise UserError(
                    f"sample '{streams[name][index].id}' ({name}): {tokens} tokens, but the model has positions for "
                    f"{limit} only (max_position_embeddings); shorten it or leave it out, as nothing is ever cut off"
                )
