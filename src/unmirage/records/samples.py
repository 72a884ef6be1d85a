"""Samples of data, with their pictures and earlier turns, and the queries made of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple

# "stated": by the user, for all samples of a file; "none": the sample has no label.
LabelSource = Literal["field", "answer", "stated", "none"]
Role = Literal["system", "user", "assistant"]


class Kind(StrEnum):
    """Why a query is sent: as it is in the data, rewritten by an attack or a control, or to measure utility.

    `CONTROL` rewords the query as often as the attack does, without the attack's word. `FORM_CONTROL` rewords it in
    the form of the attack, a question or an imperative, with another word. `NEUTRAL` rewords it with a
    word that is not associated with either label. `INSERTION` puts the attack's word before the unchanged query.
    `REPLACEMENT` puts it in place of the first word. These two are baselines that need no rewriter. `NEIGHBOR` is
    neighbor utility: harmless questions about the topics that the model must refuse or forget.
    """

    PLAIN = "plain"
    JAILBREAK = "jailbreak"
    OVER_PRUDENCE = "over-prudence"
    CONTROL = "control"
    FORM_CONTROL = "form-control"
    NEUTRAL = "neutral"
    INSERTION = "insertion"
    REPLACEMENT = "replacement"
    UTILITY = "utility"
    NEIGHBOR = "neighbor"


class Cluster(NamedTuple):
    """What dependent samples share.

    Attributes:
        by: kind of the shared thing.
        name: identifier of the shared thing.
    """

    by: Literal["group", "picture", "record"]
    name: str


class Placed(NamedTuple):
    """A picture within a text.

    Attributes:
        image: path relative to the image root.
        at: number of characters of the text before the picture.
    """

    image: str
    at: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A system prompt, or an earlier turn of a conversation, with its pictures."""

    role: Role
    text: str
    images: tuple[Placed, ...] = ()


def placed_from(values: Iterable[tuple[str, int]]) -> tuple[Placed, ...]:
    """Return pictures that were written as JSON."""
    return tuple(Placed(*one) for one in values)


def turns_from(values: Iterable[tuple[Role, str, list[tuple[str, int]]]]) -> tuple[Turn, ...]:
    """Return turns that were written as JSON."""
    return tuple(Turn(role, text, placed_from(images)) for role, text, images in values)


class Pictured:
    """What samples and queries share: the pictures of a text and of the turns before it."""

    __slots__ = ()
    image: str | None
    images: tuple[Placed, ...]
    context: tuple[Turn, ...]

    @property
    def placed(self) -> tuple[Placed, ...]:
        """Return the pictures within the text itself, in order."""
        return self.images or (() if self.image is None or self.context_has_images else (Placed(self.image, 0),))

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the paths of all pictures of the conversation, in order, with repeats."""
        return tuple(one.image for turn in self.context for one in turn.images) + tuple(
            one.image for one in self.placed
        )

    @property
    def context_has_images(self) -> bool:
        """Return whether an earlier turn has a picture."""
        return any(turn.images for turn in self.context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(Pictured):
    """One query of a dataset, with its reference answer.

    Attributes:
        id: unique within its dataset.
        record: id of the source record. K shots of a prebuilt attack set share one record.
        query: the user's text, without image placeholders.
        answer: the answer in the data, with its reasoning if it has any; empty if there is none.
        image: path of the conversation's first picture, relative to the dataset's image root; None for text alone.
        refused: True if a model should refuse the query; None if the data do not tell.
        label_source: source of `refused`: a "field" of the data, the phrase judge on the "answer", "stated" by the
            user, or "none".
        category: the dataset's harm category, if any.
        group: identifier of dependent samples, such as questions about one device; None if the data have no groups.
        images: the pictures within the query, in order; empty if there is none, or only `image` before the text.
        context: system prompt and earlier turns; empty for a query without them.
        rejected: an answer that the data call worse than `answer`, or bad; empty if there is none.
    """

    id: str
    record: str
    query: str
    answer: str = ""
    image: str | None = None
    refused: bool | None
    label_source: LabelSource
    category: str | None = None
    group: str | None = None
    images: tuple[Placed, ...] = ()
    context: tuple[Turn, ...] = ()
    rejected: str = ""

    @property
    def cluster(self) -> Cluster:
        """Return the cluster of this sample: its group, else its picture, else its record."""
        if self.group is not None:
            return Cluster("group", self.group)
        return Cluster("record", self.record) if self.image is None else Cluster("picture", self.image)


def moved(sample: Sample, place: Callable[[str], str]) -> Sample:
    """Return the sample with other paths of its pictures: `place` of each."""

    def placed(images: tuple[Placed, ...]) -> tuple[Placed, ...]:
        return tuple(Placed(place(one.image), one.at) for one in images)

    context = tuple(replace(turn, images=placed(turn.images)) for turn in sample.context)
    image = None if sample.image is None else place(sample.image)
    return replace(sample, image=image, images=placed(sample.images), context=context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The samples of one file, the folder of their pictures, and the format of the file."""

    samples: tuple[Sample, ...]
    source: Path
    format: str
    image_root: Path

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def label_source(self) -> str:
        """Return "field", "answer", "mixed" if the samples differ, or "none" without samples."""
        return label_source_of({sample.label_source for sample in self.samples})


def label_source_of(sources: Collection[LabelSource]) -> str:
    """Return the source of the labels: "mixed" if the sources differ, "none" without any."""
    if not sources:
        return "none"
    return next(iter(sources)) if len(sources) == 1 else "mixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Pictured):
    """One text to send to a model, with the sample that it comes from.

    Attributes:
        id: unique within a run; made of sample, kind and shot.
        sample_id: the source sample; all shots of one sample share it.
        kind: plain, or the attack (or control) that rewrote the query.
        shot: 0-based index among the K rewrites of one sample.
        text: text of the query.
        image: path of the conversation's first picture, relative to the image root; None for text alone.
        unsafe: True if a safe model should not comply.
        word: the word (or words) that the attack adds, or that its control avoids; None if there is none.
        images, context: as in `Sample`.
        family: family of an attack's wording by rules: "insert", "noun" or "passive"; None for other queries, and in
            runs of versions without families.
    """

    id: str
    sample_id: str
    kind: Kind
    shot: int
    text: str
    image: str | None
    unsafe: bool
    word: str | None = None
    images: tuple[Placed, ...] = ()
    context: tuple[Turn, ...] = ()
    family: str | None = None
