"""Data types of suites: a published benchmark, its files, its questions and the loaded suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from unmirage.data.images import Pictures
from unmirage.records import Gold, Query, Sample

Purpose = Literal["safety", "over-refusal", "utility"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question of a benchmark.

    Attributes:
        sample: the original question.
        prompt: full prompt, if it differs from the sample's query.
        answers, choices: reference answers and choices, as in `Gold`; empty if responses are judged.
        left_out: why the question is not asked, such as an undecided label; "" if it is.
    """

    sample: Sample
    prompt: str | None = None
    answers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    left_out: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The files of a benchmark.

    Attributes:
        read: returns all questions in file order. The ids of their samples may repeat.
        pictures: images by the names in the samples.
        image_root: folder of image files.
    """

    read: Callable[[], list[Item]]
    pictures: Pictures
    image_root: Path


Find = Callable[[str, Path | None], Found]  # (data argument of the user, image folder) -> files


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Published size of a benchmark.

    Attributes:
        total: number of questions.
        parts: number of questions by category; empty if only the total is published.
    """

    total: int
    parts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, parts: Mapping[str, int]) -> Published:
        """Return the size of a benchmark with these categories."""
        return cls(total=sum(parts.values()), parts=parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A benchmark.

    Attributes:
        name: name on the command line.
        purpose: property that it measures. Safety and over-refusal are judged, utility is scored.
        about: one-line description.
        hub: place of publication.
        default: default data argument; empty if the user must download the files manually.
        max_new_tokens: default maximum number of new tokens per response.
        find: function that finds and reads its files.
        published: published sizes, one for each version of the benchmark; empty if none is known.
    """

    name: str
    purpose: Purpose
    about: str
    hub: str
    default: str = ""
    max_new_tokens: int = 256
    find: Find
    published: tuple[Published, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSuite:
    """Queries and reference answers of a benchmark.

    Attributes:
        samples: drawn samples.
        queries: one query per sample, in the same order.
        gold: reference answers of the queries; empty if responses are judged.
        pictures: images of the queries.
        source: data argument that was used.
        image_root: folder of image files.
        notes: one-line warnings: a size other than the published one, and questions that are not asked.
    """

    samples: Sequence[Sample]
    queries: Sequence[Query]
    gold: Sequence[Gold]
    pictures: Pictures
    source: str
    image_root: Path
    notes: tuple[str, ...] = ()
