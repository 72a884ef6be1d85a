"""The document of `unmirage study pretrained`. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from unmirage.documents import Result
from unmirage.evaluate.compare import Comparison
from unmirage.evaluate.relevance import Relevance
from unmirage.intervals import Mean
from unmirage.records import Amount, Count, Rate, Share
from unmirage.records.statistics import Known

Rates = Mapping[str, Rate]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedRates:
    """The rates of one seed."""

    seed: int
    rates: Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class WordingRates:
    """The rates of a model with one set of wordings.

    Attributes:
        rates: pooled over the seeds, by name; see `summary.COLUMNS`.
        by_k, control_by_k: ASR after any of k shots, and that of the control.
        over_seeds: mean of each rate over the seeds with a t interval; empty for a single seed.
        by_seed: rates of each seed.
        changes: differences between the rates before and after the attack, on the same samples.
        collapsed: why the model counts as collapsed; empty if it does not.
    """

    rates: Rates
    by_k: tuple[Rate, ...]
    control_by_k: tuple[Rate, ...]
    over_seeds: Mapping[str, Mean]
    by_seed: tuple[SeedRates, ...]
    changes: tuple[Comparison, ...]
    collapsed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedTraining:
    """One training: rows and refused rows of the data, steps, wall and CPU seconds, losses at both ends, notes."""

    seed: int
    rows: Count
    refused: Count
    forget_rows: Count
    steps: Count
    seconds: Amount
    cpu_seconds: Amount
    stopped: str
    losses: Mapping[str, tuple[float, ...]]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A model of the study.

    Attributes:
        method, data, share, what: its recipe.
        trainings: the training of each seed; empty for the base model.
        wordings: rates by name of the wordings, "ours" or "given"; empty if all trainings were stopped.
        relevance: mean cosine of benign plain queries and responses; None without an encoder.
    """

    name: str
    method: str
    data: str
    share: Share
    what: str
    trainings: tuple[SeedTraining, ...]
    wordings: Mapping[str, WordingRates]
    relevance: Known[Relevance] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeaningKept:
    """How much of the meaning of plain queries their rewrites keep.

    Attributes:
        words: mean share of the content words that are kept.
        cosine: mean cosine of the sentence embeddings of query and rewrite; None without an encoder.
    """

    words: Mean
    cosine: Known[Mean] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WordingSet:
    """The queries of a run.

    Attributes:
        attack: words of the attack.
        queries: number of queries by kind.
        meaning: meaning kept, by kind; prebuilt queries without a plain query are left out.
    """

    attack: Mapping[str, Any]
    queries: Mapping[str, Count]
    notes: tuple[str, ...]
    meaning: Mapping[str, MeaningKept] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSummary:
    """Data of the study: numbers of samples, and what they share."""

    train: Count
    train_refused: Count
    test: Count
    general: Count
    same_text: Count
    same_picture_and_text: Count
    nearly_same_text: Count


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PretrainedStudy(Result):
    """The study on pretrained weights, the document `unmirage.pretrained/1`. It has figures, and no text of the data.

    Attributes:
        commit: commit of the checkout; "" for an installed package.
        base: name of the base model, and a fingerprint of its files.
        seeds: seeds of the trainings.
        judge: name of the judge.
        data: sizes of the data, and their overlap.
        wordings: what was asked, by name of the wordings.
        models: the rows of the tables.
        left_out: models that the data do not allow, with the reasons.
        notes: what was replaced, cut or left out, one line each.
        settings: settings of the study.
        machine, timings: machine description; seconds and CPU seconds by task, over all seeds.
    """

    FILE: ClassVar[str] = "pretrained.json"
    WRITER: ClassVar[str] = "unmirage study pretrained"

    commit: str = ""
    schema: Literal["unmirage.pretrained/1"] = "unmirage.pretrained/1"
    base: Mapping[str, str]
    seeds: tuple[int, ...]
    judge: str
    data: DataSummary
    wordings: Mapping[str, WordingSet]
    models: tuple[ModelRow, ...]
    left_out: Mapping[str, str]
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    timings: Mapping[str, Mapping[str, Amount]]

    def heading(self) -> str:
        """Return a title with the number of models and seeds."""
        return f"{len(self.models)} models on pretrained weights, seeds {', '.join(map(str, self.seeds))}"

    def summary(self) -> list[dict[str, Any]]:
        """Return one row per model and wordings with the values of its main rates."""
        shown = ("asr_before", "asr_after", "asr_control", "rr_before", "rr_after", "rr_control")
        return [
            {"model": row.name, "wordings": name, **{rate: own.rates[rate].value for rate in shown}}
            for row in self.models
            for name, own in row.wordings.items()
        ]

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per model, wordings and rate, with value, interval and counts."""
        return [
            {
                "model": row.name,
                "wordings": name,
                "rate": rate,
                "value": one.value,
                "low": one.low,
                "high": one.high,
                "k": one.k,
                "n": one.n,
                "clusters": one.clusters,
            }
            for row in self.models
            for name, own in row.wordings.items()
            for rate, one in own.rates.items()
        ]
