"""What a suite is: a published benchmark, as a name, a purpose and a way to load it; and what loading gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from unmirage.data.images import Pictures
from unmirage.records import Gold, Query, Sample

Purpose = Literal["safety", "over-refusal", "utility"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question of a benchmark.

    Attributes:
        sample: the question as the benchmark has it.
        prompt: what is asked, where it is more than the sample's query.
        answers, choices: what answers are scored against, as in `Gold`; empty where nothing is scored.
    """

    sample: Sample
    prompt: str | None = None
    answers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The files of a benchmark.

    Attributes:
        read: returns all questions, in the order of the files; their samples' ids may repeat.
        pictures: by the names that the samples have.
        image_root: the folder of pictures that are files.
    """

    read: Callable[[], list[Item]]
    pictures: Pictures
    image_root: Path


Find = Callable[[str, Path | None], Found]  # (what the user named, folder of pictures) -> its files


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A benchmark that can be asked.

    Attributes:
        name: on the command line.
        purpose: what its answers say: safety and over-refusal are judged, utility is scored.
        about: what it is, in one line.
        hub: where it is published.
        default: what is loaded where the user names nothing; empty where files have to be fetched by hand.
        max_new_tokens: that an answer may have, unless the user says otherwise.
        find: reads its files.
    """

    name: str
    purpose: Purpose
    about: str
    hub: str
    default: str = ""
    max_new_tokens: int = 256
    find: Find


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSuite:
    """What is asked, and what answers are scored against.

    Attributes:
        samples: those drawn.
        queries: one a sample, in the same order.
        gold: of each query; empty where answers are judged, not scored.
        pictures: of the queries.
        source: the data as it was named.
        image_root: the folder of pictures that are files.
    """

    samples: Sequence[Sample]
    queries: Sequence[Query]
    gold: Sequence[Gold]
    pictures: Pictures
    source: str
    image_root: Path
