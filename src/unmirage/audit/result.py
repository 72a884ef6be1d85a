"""The result of an audit, the document `unmirage.audit/2`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from unmirage.audit.compare import Comparison, RemedyOutcome
from unmirage.audit.counterfactual import Decided
from unmirage.audit.labels import LabelCheck
from unmirage.audit.matrices import GroupedBy
from unmirage.audit.pictures import PictureCount
from unmirage.audit.probes import Accuracy
from unmirage.audit.remedies import AttackWords, Suggested
from unmirage.documents import Result
from unmirage.records import Count, Finding
from unmirage.text.language import Languages


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenerCount:
    """Numbers of refused and answered queries that open with a word."""

    opener: str
    refused: Count
    answered: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSetting:
    """Settings of the predictability measurement.

    Attributes:
        evaluation: "cross-validated" or "test file".
        folds: number of folds; 0 with a test file.
        grouped_by: criterion for equal pictures, whose queries share a fold: "content" or "path".
        rows: number of queries that the probes were trained or evaluated on.
        sampled: True if these are a sample of the data.
        test_source: name of the test file.
        test_n: number of its queries.
    """

    evaluation: str = ""
    folds: Count | None = None
    grouped_by: GroupedBy | None = None
    rows: Count | None = None
    sampled: bool = False
    test_source: str | None = None
    test_n: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Unreadable records that were skipped, with the first reasons."""

    count: Count = 0
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AuditResult(Result):
    """Result of the audit of one dataset.

    Attributes:
        source: name of the data file, without its folder.
        format: format of the file.
        n: number of queries.
        refused: number of queries that a model should refuse.
        label_source: "field", "answer" or "mixed".
        languages: languages of the queries.
        seed: seed of folds and draws.
        skipped: skipped records.
        predictability: accuracy by rung of the ladder; see `probes.PROBES`.
        probes: settings of that measurement.
        findings: openers, and other features associated with a label; the strongest first.
        tested: number of tested features, all adjusted together.
        shortcut_gap: the opener rule's accuracy on unseen queries minus the majority's; None if not estimable.
        min_queries: minimum number of queries of a tested feature.
        findings_left_out: number of associated features that are not in `findings`.
        openers: counts by opener, the most frequent first.
        pictures: counts of readable pictures; None if the data have no pictures.
        decided_by_opener: how often only the opener predicts the label; None if not estimable.
        label_quality: agreement of field and answer; None if no sample has both.
        suggested: openers to attack with.
        attack_words: the same with their association and expected effect.
        remedies: repaired versions of the dataset, by name.
        compare: comparison with another version.
    """

    FILE: ClassVar[str] = "audit.json"
    WRITER: ClassVar[str] = "unmirage audit DATA --json"

    schema: Literal["unmirage.audit/2"] = "unmirage.audit/2"
    source: str = "safety data"
    format: str = ""
    n: Count
    refused: Count
    label_source: str
    languages: Languages = field(default_factory=Languages)
    seed: int = 0
    skipped: Skipped = Skipped()
    predictability: Mapping[str, Accuracy]
    probes: ProbeSetting = ProbeSetting()
    shortcut_gap: float | None = None
    tested: Count | None = None
    min_queries: Count | None = None
    findings_left_out: Count = 0
    findings: tuple[Finding, ...]
    openers: tuple[OpenerCount, ...] = ()
    pictures: PictureCount | None = None
    decided_by_opener: Decided | None = None
    label_quality: LabelCheck | None = None
    suggested: Suggested
    attack_words: AttackWords = field(default_factory=AttackWords)
    remedies: Mapping[str, RemedyOutcome] = field(default_factory=dict)
    compare: Comparison | None = None

    @property
    def answered(self) -> int:
        """Return the number of queries that a model should answer."""
        return max(0, self.n - self.refused)

    def heading(self) -> str:
        """Return a line with the accuracy of the opener rule."""
        rule = self.predictability["opener"]
        told = "not estimable" if rule.test is None else f"{100 * rule.test:.1f} %"
        gap = "" if self.shortcut_gap is None else f", shortcut gap {100 * self.shortcut_gap:.1f} points"
        return f"Audit of {self.source}: {self.n:,} queries, {self.refused:,} refused; opener accuracy {told}{gap}"

    def summary(self) -> list[dict[str, Any]]:
        """Return the findings to read first, or all if none is marked."""
        chosen = [one for one in self.findings if one.headline] or list(self.findings)
        return [
            {"feature": one.text, "refused": one.refused, "answered": one.answered, "predicts": one.direction}
            for one in chosen
        ]

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each finding."""
        return [
            {
                "feature": one.feature,
                "position": one.position,
                "kind": one.kind,
                "refused": one.refused,
                "answered": one.answered,
                **asdict(one.tie),
                "p_value": one.p_value,
                "q_value": one.q_value,
                "direction": one.direction,
                "headline": one.headline,
            }
            for one in self.findings
        ]
