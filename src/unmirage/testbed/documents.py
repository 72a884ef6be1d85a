"""The documents of `unmirage demo --full` and of the studies. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from unmirage.attack.documents import SearchResult
from unmirage.documents import Document, without_none
from unmirage.records import Amount, Count, Difference, Rate, Share

Rates = Mapping[str, Rate]


@dataclass(frozen=True, slots=True, kw_only=True)
class WordRates:
    """ASR of one word on held-out samples: before the attack, and after it, rewritten or in place of the opener."""

    before: Rate
    rewritten: Rate
    by_k: tuple[Rate, ...]
    replacement: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedModel:
    """The means of an `Explanation`, and the mean probability of refusal."""

    model: str
    mode: str
    n: Count
    opener_is_cause: Rate
    opener_change: Difference | None
    opener_change_low: Difference | None
    opener_change_high: Difference | None
    others_change: Difference | None
    others_change_low: Difference | None
    others_change_high: Difference | None
    p_refusal: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class FullDemo(Document):
    """Word search and explanations of one seed, the document `unmirage.demo-full/1`.

    Attributes:
        model: the searched model.
        words: the search.
        asr: rates by word, on the half of the samples that the search did not use.
        explain: explanations by model.
    """

    FILE: ClassVar[str] = "full.json"
    WRITER: ClassVar[str] = "unmirage demo --full --out RUN"

    schema: Literal["unmirage.demo-full/1"] = "unmirage.demo-full/1"
    seed: int
    model: str
    words: SearchResult
    asr: Mapping[str, WordRates]
    explain: Mapping[str, ExplainedModel]


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilityCheck:
    """The utility of a base model on validation devices, after a step of its training."""

    step: Count
    utility: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseTraining(Document):
    """How a base model with a given decoder was trained, the document `unmirage.base-training/1`.

    Attributes:
        decoder: name of the decoder.
        files: hash of the decoder's files by name.
        pictures_read: share of drawn pictures whose tokens are nearest to the right four words, before the training on
            the corpus; None in documents of older versions.
        goal: utility at which the training ends.
        checks: the measurements in the order of their steps; the last is that of the base model.
    """

    FILE: ClassVar[str] = "base_training.json"
    WRITER: ClassVar[str] = "unmirage demo --decoder LM --out RUN"

    schema: Literal["unmirage.base-training/1"] = "unmirage.base-training/1"
    decoder: str
    files: Mapping[str, str]
    pictures_read: Share | None = None
    goal: Share
    checks: tuple[UtilityCheck, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The seed on which a training was stopped, the step, and the reason."""

    seed: int
    step: Count
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodRow:
    """A row of the comparison of methods, over all seeds.

    Attributes:
        seconds: mean duration of the training.
        rates: pooled over the seeds on which the row was not stopped; None if it was stopped on all.
        by_seed: steps, seconds, losses and rates of each seed; None for what a seed lacks.
        family, config, data, general, start: fields of `RowSettings`.
        beaten_by: rows of the front that beat it.
    """

    name: str
    seconds: Amount | None
    stopped: tuple[Stop, ...]
    rates: Rates | None
    by_seed: tuple[Mapping[str, Any], ...]
    family: str
    config: Mapping[str, Any] | None
    data: str
    general: bool
    start: str
    beaten_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The share of the samples that all rows are asked about, and the number of queries by seed."""

    share_of_samples: Share
    queries_of_a_row_by_seed: tuple[Count, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodsComparison(Document):
    """The comparison of methods, the document `unmirage.methods/1`; `front` is the Pareto front on `goals`."""

    FILE: ClassVar[str] = "methods.json"
    WRITER: ClassVar[str] = "unmirage study methods"

    commit: str = ""
    schema: Literal["unmirage.methods/1"] = "unmirage.methods/1"
    seeds: tuple[int, ...]
    judge: str
    attack: Mapping[str, Any]
    questions: Questions
    goals: Mapping[str, Literal["more", "less"]]
    front: tuple[str, ...]
    rows: tuple[MethodRow, ...]
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedRates:
    """The rates of one seed."""

    seed: int
    rates: Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class RelearnRow:
    """Rates of a model or a `Variant`, over all seeds and by seed."""

    model: str
    of: str
    kind: str
    data: str
    amount: Amount
    rates: Rates
    by_seed: tuple[SeedRates, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relearning(Document):
    """The attacks on repaired models, the document `unmirage.relearning/1`; `stopped` has seeds by model."""

    FILE: ClassVar[str] = "relearning.json"
    WRITER: ClassVar[str] = "unmirage study relearn"

    commit: str = ""
    schema: Literal["unmirage.relearning/1"] = "unmirage.relearning/1"
    seeds: tuple[int, ...]
    judge: str
    attack: Mapping[str, Any]
    queries_of_a_variant_by_seed: tuple[Count, ...]
    stopped: Mapping[str, tuple[int, ...]]
    rows: tuple[RelearnRow, ...]
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Changed settings of an arm, with their score and rates; without rates, why the training was stopped."""

    change: Mapping[str, int | float]
    seconds: Amount
    score: Count | Share
    stopped: str | None = None
    asr_before: Rate | None = None
    asr_after: Rate | None = None
    asr_control: Rate | None = None
    rr_before: Rate | None = None
    rr_after: Rate | None = None
    benign_answered_before: Rate | None = None
    benign_answered_after: Rate | None = None
    utility: Rate | None = None
    neighbor_utility: Rate | None = None


_WRITTEN = without_none(*Candidate.__dataclass_fields__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChoice(Document):
    """All candidates of a settings search by arm, and the chosen change, the document `unmirage.settings-search/1`."""

    FILE: ClassVar[str] = "settings.json"
    WRITER: ClassVar[str] = "unmirage study settings"

    commit: str = ""
    machine: Mapping[str, Any]
    schema: Literal["unmirage.settings-search/1"] = "unmirage.settings-search/1"
    seeds: Mapping[str, int]
    chosen: Mapping[str, Mapping[str, int | float]]
    arms: Mapping[str, tuple[Annotated[Candidate, _WRITTEN], ...]]
    settings: Mapping[str, Any]
