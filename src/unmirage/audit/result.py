"""The result of an audit, the document `unmirage.audit/3`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from unmirage.audit.compare import Comparison, RemedyOutcome
from unmirage.audit.corpus import Copies, Part
from unmirage.audit.counterfactual import Decided
from unmirage.audit.informedness import Informedness
from unmirage.audit.labels import LabelCheck
from unmirage.audit.matrices import GroupedBy
from unmirage.audit.pictures import PictureCount
from unmirage.audit.probes import Accuracy
from unmirage.audit.ranking import Auc
from unmirage.audit.suggest import AttackWords, Suggested
from unmirage.data import sample_file
from unmirage.documents import Result
from unmirage.records import Count, Difference, Finding, Known
from unmirage.text.english.wordings.guide import WordingGuide
from unmirage.text.language import Languages
from unmirage.text.leads import Lead


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenerCount:
    """Numbers of refused and answered queries that open with a word, copies included.

    Attributes:
        contribution: its part of the informedness, which the parts of all openers add up to; None if not estimable.
    """

    opener: str
    refused: Count
    answered: Count
    contribution: Difference | None = None


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
    """Unreadable records that were skipped, or samples that were left out, with the first reasons."""

    count: Count = 0
    examples: tuple[str, ...] = ()

    @classmethod
    def of(cls, found: sample_file.Skipped) -> Skipped:
        """Return the counts of a reading."""
        return cls(count=found.count, examples=tuple(found.examples))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AuditResult(Result):
    """Result of the audit of one dataset.

    Attributes:
        source: name of the data file, without its folder.
        format: format of the file.
        n: number of queries.
        refused: number of queries that a model should refuse.
        label_source: "field", "answer" or "mixed".
        part: the audited text: the queries, or the reasoning of the answers, which then stands for the queries.
        without_text: samples left out because their answers have no reasoning.
        languages: languages of the queries.
        leads: what stands before the content of queries, and is passed over.
        seed: seed of folds and draws.
        skipped: skipped records.
        without_label: samples left out because they have no label.
        unread_fields: numbers of records with a field that looks as if it matters but is not read, by field.
        copies: queries with equal texts; they share a fold, and count once in the tests of findings.
        informedness: sensitivity + specificity - 1 of the opener rule on unseen queries.
        auc: area under the ROC curve of the openers' share of refused queries, on unseen queries.
        predictability: accuracy by rung of the ladder; see `probes.PROBES`.
        probes: settings of that measurement.
        findings: openers, and other features associated with a label; the strongest first.
        tested: number of tested features, all adjusted together.
        shortcut_gap: the accuracy of the majority label of each opener on unseen queries, minus that of the overall
            majority label; None if not estimable. It shrinks when one label becomes rare.
        min_queries: minimum number of queries of a tested feature.
        findings_left_out: number of associated features that are not in `findings`.
        openers: counts by opener, the most frequent first.
        pictures: counts of readable pictures; None if the data have no pictures.
        decided_by_opener: how often only the opener predicts the label; None if not estimable.
        label_quality: agreement of field and answer; None if no sample has both.
        suggested: openers to attack with.
        attack_words: the same with their association and expected effect.
        wordings: openers of two and three words, and weights of words for refusal, by which an attack orders its
            wordings; None in documents of versions that had none, and for reasoning.
        remedies: repaired versions of the dataset, by name.
        compare: comparison with another version.
    """

    FILE: ClassVar[str] = "audit.json"
    WRITER: ClassVar[str] = "unmirage audit DATA --json"

    schema: Literal["unmirage.audit/3"] = "unmirage.audit/3"
    source: str = "safety data"
    format: str = ""
    n: Count
    refused: Count
    label_source: str
    part: Part = "query"
    without_text: Count = 0
    languages: Languages = field(default_factory=Languages)
    leads: tuple[Lead, ...] = ()
    seed: int = 0
    skipped: Skipped = Skipped()
    without_label: Skipped = Skipped()
    unread_fields: Mapping[str, Count] = field(default_factory=dict)
    copies: Copies = field(default_factory=Copies)
    informedness: Informedness = field(default_factory=Informedness)
    auc: Auc = field(default_factory=Auc)
    predictability: Mapping[str, Accuracy]
    probes: ProbeSetting = ProbeSetting()
    shortcut_gap: Difference | None = None
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
    wordings: Known[WordingGuide] = None
    remedies: Mapping[str, RemedyOutcome] = field(default_factory=dict)
    compare: Comparison | None = None

    @property
    def answered(self) -> int:
        """Return the number of queries that a model should answer."""
        return max(0, self.n - self.refused)

    def heading(self) -> str:
        """Return a line with the informedness of the opener and its verdict."""
        found = self.informedness
        told = "not estimable" if found.value is None else f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
        verdict = "" if found.value is None else f": {found.verdict.said}"
        what = "queries" if self.part == "query" else "texts of reasoning"
        return (
            f"Audit of {self.source}: {self.n:,} {what}, {self.refused:,} refused; "
            f"informedness of the opener {told}{verdict}"
        )

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
                "refused_once": one.refused_once,
                "answered_once": one.answered_once,
                **asdict(one.tie),
                "p_value": one.p_value,
                "q_value": one.q_value,
                "direction": one.direction,
                "headline": one.headline,
            }
            for one in self.findings
        ]
