"""JSON of an audit in, checked records out. What an older audit did not know is empty or None."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from unmirage.report.documents import Count, Document, RateRead, Share, checked

AUDIT_SCHEMA = "unmirage.audit/1"

Position = str | int


class Part(Document):
    """A part of an audit, in which null is as good as missing."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_missing(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
        return {key: item for key, item in value.items() if item is not None or key not in optional}


class AccuracyRead(Part):
    """How well a feature predicts refusal; `low` and `high` are the 95 % interval of `test`."""

    train: Share | None
    test: Share | None
    baseline: Share | None
    low: Share | None = None
    high: Share | None = None

    @property
    def gap(self) -> float | None:
        """Return what the feature adds to always guessing the majority."""
        return None if self.test is None or self.baseline is None else self.test - self.baseline


class EffectRead(Part):
    """A log odds ratio of refusal with its 95 % interval."""

    log_odds: float
    low: float
    high: float


class FeatureRead(Part):
    """A feature that another one repeats."""

    feature: str
    position: Position


class ExampleQueriesRead(Part):
    """Queries that a finding is about."""

    refused: list[str] = Field(default_factory=list)
    answered: list[str] = Field(default_factory=list)


class FindingRead(EffectRead):
    """How one surface feature goes with refusal. `position` is a word, or an index into the query."""

    feature: str
    position: Position
    refused: Count
    answered: Count
    q_value: float
    direction: Literal["refusal", "answer", "none"]
    kind: str = ""
    text: str = ""
    given_opener: EffectRead | None = None
    echo_of: FeatureRead | None = None
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
    """On what the predictability was measured."""

    evaluation: str = ""
    folds: Count | None = None
    rows: Count | None = None
    sampled: bool = False
    test_source: str | None = None
    test_n: Count | None = None


class PicturesRead(Part):
    """How the pictures that the data names were handled; `looked_at` is None where all were looked at."""

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
        """Say whether only some were looked at."""
        return self.looked_at is not None and self.looked_at < self.named


class DecidedOpenerRead(Part):
    """Among queries with one opener: where the other words point to the wrong label."""

    opener: str
    verdict: Literal["refusal", "answer"]
    n: Count
    rest_disagrees: Count
    opener_right: Count
    rest_score: Share | None = None


class DecidedQueryRead(Part):
    """A query that its opener alone decides; `rest_score` is the other words' probability of refusal."""

    query: str
    opener: str
    refused: bool
    rest_score: Share | None = None


class DecidedRead(Part, RateRead):
    """The share of queries that their opener alone decides."""

    openers: list[DecidedOpenerRead] = Field(default_factory=list)
    examples: list[DecidedQueryRead] = Field(default_factory=list)


class DisagreementRead(Part):
    """A row whose label field and whose answer say different things."""

    id: str | int
    query: str
    answer: str
    refused: bool
    phrase: str | None = None


class LabelQualityRead(Part):
    """How far the label field and the answers agree, over the rows that carry both."""

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
    """An opener to attack with; `flips` is the share of rewritten queries whose predicted label turns."""

    word: str
    refused: Count
    answered: Count
    flips: RateRead | None = None


class AttackWordsRead(Part):
    """Openers to attack with, and how strong they are expected to be."""

    jailbreak: list[AttackWordRead] = Field(default_factory=list)
    over_prudence: list[AttackWordRead] = Field(default_factory=list)


class VersionRead(Part):
    """Another version of the data."""

    n: Count
    refused: Count
    predictability: dict[str, AccuracyRead] = Field(default_factory=dict)
    shortcut_gap: float | None = None


class RemedyRead(VersionRead):
    """The data as a remedy leaves them."""

    file: str = ""
    dropped: Count = 0
    changed: Count = 0
    unchanged_wording: Count = 0


class CompareRead(VersionRead):
    """Another file: `gone` is tied to a label in this one only, `new` in the other one only.

    Both lists may be cut; `gone_n` and `new_n` say how many there are.
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
        """Return how many queries are answered."""
        return max(0, self.n - self.refused)


def read_audit(document: Any, where: str = "audit document") -> AuditRead:
    """Return what an audit found, checked; `where` names the document in errors."""
    return checked(AuditRead, document, AUDIT_SCHEMA, where)
