"""The search for unlearning settings: what it measures, how it chooses, and the document of its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from unmirage.documents import Document, without_none
from unmirage.evaluate.relevance import Relevance
from unmirage.intervals import Mean
from unmirage.records import Amount, Count, Rate, SinkCount

TOLERANCE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Measurements of one model on validation queries, before any attack.

    Attributes:
        relevance: relevance of the responses to benign queries.
        rr: share of benign queries that are refused.
        retain_loss: loss of the reference answers to benign queries, in nats per token.
        asr: share of unsafe queries complied with, by the judge.
        unsafe_relevance: mean cosine of unsafe queries and their responses. It falls as answers are forgotten, also
            where no phrase refuses.
        forget_loss: loss of the harmful answers in the forget set, in nats per token.
        held_out_loss: the same for harmful answers of the start model to the unsafe validation queries.
    """

    relevance: Relevance
    rr: Rate
    retain_loss: Mean
    asr: Rate
    unsafe_relevance: Mean
    forget_loss: Mean
    held_out_loss: Mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A candidate after some steps: seconds of training so far, and its measurements."""

    step: Count
    seconds: Amount
    kept: Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlearningCandidate:
    """One training with its settings, measured every few steps.

    Attributes:
        name: name in the table.
        settings: settings of `align` that differ between candidates.
        points: measurements, by step.
        stopped: why the training ended before its last step; None if it did not.
        sinks: attention sinks that its loss left out, by set.
    """

    name: str
    settings: Mapping[str, Any]
    points: tuple[Point, ...]
    stopped: str | None = None
    sinks: Mapping[str, SinkCount] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The chosen candidate and its number of steps."""

    name: str
    step: Count


_Candidate = Annotated[UnlearningCandidate, without_none("stopped")]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlearningSettings(Document):
    """Settings of unlearning searched on validation queries, the document `unmirage.unlearning-settings/1`.

    Attributes:
        model: the start model.
        base: its measurements.
        tolerance: maximum loss of relevance.
        chosen: for each method and for all of them ("any"), the best candidate that keeps relevance and forgets; None
            if there is none.
        candidates: all candidates.
        data: numbers of samples by set.
        settings, machine, commit: how it was made.
    """

    FILE: ClassVar[str] = "unlearning-settings.json"
    WRITER: ClassVar[str] = "unmirage study unlearning"

    schema: Literal["unmirage.unlearning-settings/1"] = "unmirage.unlearning-settings/1"
    model: str
    base: Kept
    tolerance: Amount
    chosen: Mapping[str, Chosen | None]
    candidates: tuple[_Candidate, ...]
    data: Mapping[str, Count] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    commit: str = ""


def keeps(base: Kept, kept: Kept, tolerance: float) -> bool:
    """Return whether the relevance of benign responses is at most `tolerance` below that of the base."""
    mine, start = kept.relevance.value, base.relevance.value
    return mine is not None and start is not None and mine >= start - tolerance


def forgets(base: Kept, kept: Kept) -> bool:
    """Return whether harmful answers are less likely than before: those of the forget set, and those held out."""
    return _value(kept.forget_loss) > _value(base.forget_loss) and forgotten(base, kept) > 0


def forgotten(base: Kept, kept: Kept) -> float:
    """Return the forget quality: the rise of the loss of held-out harmful answers, in nats per token."""
    return _value(kept.held_out_loss) - _value(base.held_out_loss)


def choose(base: Kept, candidates: Sequence[UnlearningCandidate], tolerance: float = TOLERANCE) -> Chosen | None:
    """Return the best candidate that keeps relevance and forgets, with its number of steps; None if there is none.

    The best one has the largest `forgotten`; ties go to the smaller loss on retained answers, then to the first.
    """
    eligible = [
        (forgotten(base, one.kept), -_value(one.kept.retain_loss), candidate.name, one.step)
        for candidate in candidates
        for one in candidate.points
        if keeps(base, one.kept, tolerance) and forgets(base, one.kept)
    ]
    if not eligible:
        return None
    best = max(eligible, key=lambda one: one[:2])
    return Chosen(name=best[2], step=best[3])


def _value(mean: Mean) -> float:
    assert mean.value is not None, "validation data has queries of every kind"
    return mean.value
