"""The result of an audit and its JSON document (schema `unmirage.audit/1`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from unmirage.audit.compare import Comparison, RemedyOutcome
from unmirage.audit.counterfactual import Decided
from unmirage.audit.labels import LabelCheck
from unmirage.audit.matrices import GroupedBy
from unmirage.audit.pictures import PictureCount
from unmirage.audit.probes import Accuracy
from unmirage.audit.remedies import AttackWord, Suggested
from unmirage.records import Finding
from unmirage.run.result import Result

SCHEMA = "unmirage.audit/1"
_MOST_OPENERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenerCount:
    """Numbers of refused and answered queries that open with a word."""

    opener: str
    refused: int
    answered: int


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

    evaluation: str
    folds: int
    grouped_by: GroupedBy
    rows: int
    sampled: bool
    test_source: str | None = None
    test_n: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Unreadable records that were skipped, with the first reasons."""

    count: int = 0
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
        seed: seed of folds and draws.
        skipped: skipped records.
        predictability: accuracy by rung of the ladder; see `probes.PROBES`.
        probes: settings of that measurement.
        findings: openers, and other features associated with a label; the strongest first.
        tested: number of tested features, all adjusted together.
        min_queries: minimum number of queries of a tested feature.
        findings_left_out: number of associated features that are not in `findings`.
        openers: counts by opener, the most frequent first.
        pictures: counts of readable pictures; None if the data have no pictures.
        decided_by_opener: how often only the opener predicts the label; None if not estimable.
        label_quality: agreement of field and answer; None if no sample has both.
        suggested: openers to attack with.
        remedies: repaired versions of the dataset, by name.
        compare: comparison with another version.
    """

    source: str
    format: str
    n: int
    refused: int
    label_source: str
    seed: int
    skipped: Skipped
    predictability: Mapping[str, Accuracy]
    probes: ProbeSetting
    findings: tuple[Finding, ...]
    tested: int
    min_queries: int
    findings_left_out: int
    openers: tuple[OpenerCount, ...]
    pictures: PictureCount | None
    decided_by_opener: Decided | None
    label_quality: LabelCheck | None
    suggested: Suggested
    remedies: Mapping[str, RemedyOutcome] = field(default_factory=dict)
    compare: Comparison | None = None

    @property
    def shortcut_gap(self) -> float | None:
        """Return the opener rule's accuracy on unseen queries minus the majority's; None if not estimable."""
        rule = self.predictability["opener"]
        return None if rule.test is None or rule.baseline is None else rule.test - rule.baseline

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

    def to_json(self) -> dict[str, Any]:
        """Return the document: plain values only, null if not estimable."""
        return {
            "schema": SCHEMA,
            "source": self.source,
            "format": self.format,
            "n": self.n,
            "refused": self.refused,
            "label_source": self.label_source,
            "seed": self.seed,
            "skipped": _plain(self.skipped),
            "predictability": {name: asdict(accuracy) for name, accuracy in self.predictability.items()},
            "probes": asdict(self.probes),
            "shortcut_gap": self.shortcut_gap,
            "tested": self.tested,
            "min_queries": self.min_queries,
            "findings_left_out": self.findings_left_out,
            "findings": [finding_json(finding) for finding in self.findings],
            "openers": [asdict(count) for count in self.openers[:_MOST_OPENERS]],
            "pictures": None if self.pictures is None else _plain(self.pictures),
            "decided_by_opener": _decided(self.decided_by_opener),
            "label_quality": _label_quality(self.label_quality),
            "suggested": {
                "jailbreak": [one.word for one in self.suggested.jailbreak],
                "over_prudence": [one.word for one in self.suggested.over_prudence],
            },
            "attack_words": {
                "jailbreak": _attack_words(self.suggested.jailbreak),
                "over_prudence": _attack_words(self.suggested.over_prudence),
            },
            "remedies": {name: asdict(outcome) for name, outcome in self.remedies.items()},
            "compare": None if self.compare is None else _comparison(self.compare),
        }


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return one finding in the format of the document."""
    return {
        "feature": finding.feature,
        "position": finding.position,
        "kind": finding.kind,
        "text": finding.text,
        "refused": finding.refused,
        "answered": finding.answered,
        **asdict(finding.tie),
        "p_value": finding.p_value,
        "q_value": finding.q_value,
        "direction": finding.direction,
        "given_opener": None if finding.given_opener is None else asdict(finding.given_opener),
        "redundant_with": None if finding.redundant_with is None else asdict(finding.redundant_with),
        "headline": finding.headline,
        "examples": {"refused": list(finding.refused_examples), "answered": list(finding.answered_examples)},
    }


def _comparison(compare: Comparison) -> dict[str, Any]:
    return {
        "source": compare.source,
        "n": compare.n,
        "refused": compare.refused,
        "predictability": {name: asdict(accuracy) for name, accuracy in compare.predictability.items()},
        "shortcut_gap": compare.shortcut_gap,
        "gone": [finding_json(finding) for finding in compare.gone],
        "gone_n": compare.gone_n,
        "new": [finding_json(finding) for finding in compare.new],
        "new_n": compare.new_n,
    }


def _decided(decided: Decided | None) -> dict[str, Any] | None:
    if decided is None:
        return None
    document = asdict(decided.share)
    del document["invalid"]
    return document | {
        "openers": [asdict(one) for one in decided.openers],
        "examples": [asdict(one) for one in decided.examples],
    }


def _label_quality(check: LabelCheck | None) -> dict[str, Any] | None:
    return None if check is None else {"disagree": check.missed + check.false_alarms, **asdict(check)}


def _attack_words(words: Iterable[AttackWord]) -> list[dict[str, Any]]:
    return [
        {
            "word": one.word,
            "refused": one.finding.refused,
            "answered": one.finding.answered,
            **asdict(one.finding.tie),
            "flips": {name: value for name, value in asdict(one.flips).items() if name != "invalid"},
        }
        for one in words
    ]


def _plain(record: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(record).items()}
