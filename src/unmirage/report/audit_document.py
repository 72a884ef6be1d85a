"""Read and check the JSON document of an audit. Fields that an older audit lacks are empty or None."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from unmirage.report.documents import Count, Document, RateRead, Share, checked

AUDIT_SCHEMA = "unmirage.audit/1"

Position = str | int


class Part(Document):
    """A part of an audit; null means the same as a missing field."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_missing(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
        return {key: item for key, item in value.items() if item is not None or key not in optional}


class AccuracyRead(Part):
    """How well a feature predicts refusal; `low` and `high` are the 95% confidence interval of `test`."""

    train: Share | None
    test: Share | None
    baseline: Share | None
    low: Share | None = None
    high: Share | None = None

    @property
    def gap(self) -> float | None:
        """Return the gain over always predicting the majority label."""
        return None if self.test is None or self.baseline is None else self.test - self.baseline


class EffectRead(Part):
    """A log odds ratio of refusal with its 95% confidence interval."""

    log_odds: float
    low: float
    high: float


class FeatureRead(Part):
    """The feature that another one is redundant with."""

    feature: str
    position: Position


class ExampleQueriesRead(Part):
    """Example queries of a finding."""

    refused: list[str] = Field(default_factory=list)
    answered: list[str] = Field(default_factory=list)


class FindingRead(EffectRead):
    """Association of one surface feature with refusal. `position` is a word, or an index into the query."""

    feature: str
    position: Position
    refused: Count
    answered: Count
    q_value: float
    direction: Literal["refusal", "answer", "none"]
    kind: str = ""
    text: str = ""
    given_opener: EffectRead | None = None
    redundant_with: FeatureRead | None = None
    headline: bool = False
    examples: ExampleQueriesRead = ExampleQueriesRead()


class OpenerRead(Part):
    """How many refused and answered queries open with a word."""

    opener: str
    refused: Count
    answered: Count


class SkippedRead(Part):
    """Rows that could not be read."""

    count: Count = 0
    examples: list[str] = Field(default_factory=list)


class ProbesRead(Part):
    """Data on which predictability was measured."""

    evaluation: str = ""
    folds: Count | None = None
    rows: Count | None = None
    sampled: bool = False
    test_source: str | None = None
    test_n: Count | None = None


class PicturesRead(Part):
    """Counts of the images in the data; `looked_at` is None if all were opened."""

    named: Count = 0
    looked_at: Count | None = None
    read: Count = 0
    missing: Count = 0
    unreadable: Count = 0
    examples: list[str] = Field(default_factory=list)
    repeated: Count = 0
    both_labels: Count = 0

    @property
    def sampled(self) -> bool:
        """Return whether only a sample of the images was opened."""
        return self.looked_at is not None and self.looked_at < self.named


class DecidedOpenerRead(Part):
    """Queries with one opener: how often the other words predict the wrong label."""

    opener: str
    verdict: Literal["refusal", "answer"]
    n: Count
    rest_disagrees: Count
    opener_right: Count
    rest_score: Share | None = None


class DecidedQueryRead(Part):
    """A query that only its opener decides; `rest_score` is the probability of refusal from the other words."""

    query: str
    opener: str
    refused: bool
    rest_score: Share | None = None


class DecidedRead(Part, RateRead):
    """Share of queries that only their opener decides."""

    openers: list[DecidedOpenerRead] = Field(default_factory=list)
    examples: list[DecidedQueryRead] = Field(default_factory=list)


class DisagreementRead(Part):
    """A row whose label field and answer disagree."""

    id: str | int
    query: str
    answer: str
    refused: bool
    phrase: str | None = None


class LabelQualityRead(Part):
    """Agreement of label field and answer, over the rows that have both."""

    both: Count
    disagree: Count
    missed: Count = 0
    false_alarms: Count = 0
    examples: list[DisagreementRead] = Field(default_factory=list)


class SuggestedRead(Part):
    """Openers to attack with."""

    jailbreak: list[str]
    over_prudence: list[str]


class AttackWordRead(EffectRead):
    """An opener to attack with; `flips` is the share of rewritten queries whose predicted label changes."""

    word: str
    refused: Count
    answered: Count
    flips: RateRead | None = None


class AttackWordsRead(Part):
    """Openers to attack with, and their expected effect."""

    jailbreak: list[AttackWordRead] = Field(default_factory=list)
    over_prudence: list[AttackWordRead] = Field(default_factory=list)


class VersionRead(Part):
    """Another version of the data."""

    n: Count
    refused: Count
    predictability: dict[str, AccuracyRead] = Field(default_factory=dict)
    shortcut_gap: float | None = None


class RemedyRead(VersionRead):
    """The data after a remedy."""

    file: str = ""
    dropped: Count = 0
    changed: Count = 0
    unchanged_wording: Count = 0


class CompareRead(VersionRead):
    """Another file: `gone` lists findings only in this file, `new` those only in the other one.

    Both lists may be truncated; `gone_n` and `new_n` are the full counts.
    """

    source: str
    gone: list[FindingRead] = Field(default_factory=list)
    gone_n: Count | None = None
    new: list[FindingRead] = Field(default_factory=list)
    new_n: Count | None = None


class AuditRead(VersionRead):
    """A document of schema `unmirage.audit/1`."""

    source: str = "safety data"
    format: str = ""
    label_source: str
    predictability: dict[str, AccuracyRead]
    findings: list[FindingRead]
    suggested: SuggestedRead
    openers: list[OpenerRead] = Field(default_factory=list)
    skipped: SkippedRead = SkippedRead()
    probes: ProbesRead = ProbesRead()
    tested: Count | None = None
    min_queries: Count | None = None
    findings_left_out: Count = 0
    pictures: PicturesRead | None = None
    decided_by_opener: DecidedRead | None = None
    label_quality: LabelQualityRead | None = None
    attack_words: AttackWordsRead = AttackWordsRead()
    remedies: dict[str, RemedyRead] = Field(default_factory=dict)
    compare: CompareRead | None = None

    @property
    def answered(self) -> int:
        """Return the number of answered queries."""
        return max(0, self.n - self.refused)


def read_audit(document: Any, where: str = "audit document") -> AuditRead:
    """Return the checked audit document; `where` names the document in errors."""
    return checked(AuditRead, document, AUDIT_SCHEMA, where)
