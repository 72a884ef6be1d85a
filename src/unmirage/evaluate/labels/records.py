"""Labeled responses, and what was left out of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from unmirage.evaluate.labels.mapping import Truth
from unmirage.records import Query, Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Labeled:
    """A response with a human verdict.

    Attributes:
        query, response: the texts.
        label: the label as the data have it.
        truth: the verdict that the label means.
        groups: the model and the language of the response, where the data have them.
        agreed: whether all annotators gave the same verdict; None for fewer than two annotators.
    """

    query: Query
    response: Response
    label: str
    truth: Truth
    groups: Mapping[str, str] = field(default_factory=dict)
    agreed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labeled responses of one source.

    Attributes:
        source: file, or name of the shipped labels.
        rows: the responses; their queries have different ids.
        excluded: numbers of responses without a verdict of people, by reason.
        described: number of queries in which a description replaces the picture.
    """

    source: str
    rows: list[Labeled]
    excluded: Counter[str] = field(default_factory=Counter)
    described: int = 0
