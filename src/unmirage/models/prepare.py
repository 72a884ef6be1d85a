"""Turn a batch of queries into tensors. A query that cannot be encoded becomes a failure; the others continue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.models.batches import Group, is_out_of_memory
from unmirage.models.encoding import Picture
from unmirage.models.prompts import Prompts, encode_groups
from unmirage.records import Query

# What processors raise for an image or text that they cannot process, such as an image of one pixel.
_REFUSED = (UserError, ValueError, TypeError, IndexError, KeyError, ZeroDivisionError, RuntimeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared batch: its groups, their prompts (None if none is left), and the queries that failed with reasons."""

    groups: list[Group]
    prompts: Prompts | None
    failed: list[tuple[Query, str]]

    @property
    def queries(self) -> list[Query]:
        """Return the queries in the order of the prompt rows."""
        return [query for group in self.groups for query in group]


@dataclass(frozen=True, slots=True)
class Sharing:
    """Whether prompts about one image share a prefix, and up to which total length in tokens (None: any length).

    Padding separates a shared prefix from what follows it. In a limited attention window, padding would displace
    real tokens.
    """

    wanted: bool
    longest: int | None = None


def prepare(processor: Any, groups: Sequence[Group], images: Pictures, sharing: Sharing) -> Prepared:
    """Open the images and tokenize the texts."""
    kept: list[Group] = []
    pictures: list[Picture | None] = []
    failed: list[tuple[Query, str]] = []
    for group in groups:
        try:
            pictures.append(None if group[0].image is None else images.open(group[0].image))
            kept.append(group)
        except UserError as error:
            failed += [(query, str(error)) for query in group]
    if not kept:
        return Prepared([], None, failed)
    try:
        return Prepared(kept, _encoded(processor, kept, pictures, sharing), failed)
    except _REFUSED as error:
        if isinstance(error, RuntimeError) and is_out_of_memory(error):
            raise
        return _without_the_refused(processor, kept, pictures, failed, sharing)


def _encoded(processor: Any, groups: Sequence[Group], pictures: Sequence[Picture | None], sharing: Sharing) -> Prompts:
    texts = [[query.text for query in group] for group in groups]
    prompts = encode_groups(processor, texts, pictures, share=sharing.wanted)
    if sharing.wanted and sharing.longest is not None and prompts.width > sharing.longest:
        return encode_groups(processor, texts, pictures, share=False)
    return prompts


def _without_the_refused(
    processor: Any,
    groups: Sequence[Group],
    pictures: Sequence[Picture | None],
    failed: list[tuple[Query, str]],
    sharing: Sharing,
) -> Prepared:
    """Encode each query by itself, and leave out those that the processor rejects."""
    kept: list[Group] = []
    left: list[Picture | None] = []
    failed = list(failed)
    for group, picture in zip(groups, pictures, strict=True):
        fine: Group = []
        for query in group:
            try:
                _encoded(processor, [[query]], [picture], sharing)
                fine.append(query)
            except _REFUSED as error:
                failed.append((query, f"the processor rejects the query: {' '.join(str(error).split())[:200]}"))
        if fine:
            kept.append(fine)
            left.append(picture)
    return Prepared(kept, _encoded(processor, kept, left, sharing) if kept else None, failed)
