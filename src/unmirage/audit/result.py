"""What an audit found, and the JSON document that says so (schema `unmirage.audit/1`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from unmirage.records import Finding

SCHEMA = "unmirage.audit/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """How well a feature predicts refusal, as shares of queries; None where it cannot be estimated.

    Attributes:
        train: on the queries that the rule was learned from.
        test: on queries it has not seen.
        baseline: what always guessing the majority scores on those same unseen queries.
    """

    train: float | None
    test: float | None
    baseline: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenerCount:
    """How many refused and answered queries open with a word."""

    opener: str
    refused: int
    answered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """Openers to attack with, the most promising first."""

    jailbreak: tuple[str, ...]
    over_prudence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """What the audit of one dataset found.

    Attributes:
        source: name of the data file, without its folder.
        format: how the file was read.
        n: queries.
        refused: those among them that are meant to be refused.
        label_source: "field", "answer" or "mixed".
        predictability: accuracy by feature: "majority", "opener", "words", "words_without_opener".
        findings: openers and words with their tie to refusal, the strongest first.
        openers: counts for every opener, the most frequent first.
        suggested: openers to attack with.
    """

    source: str
    format: str
    n: int
    refused: int
    label_source: str
    predictability: Mapping[str, Accuracy]
    findings: tuple[Finding, ...]
    openers: tuple[OpenerCount, ...]
    suggested: Suggested

    @property
    def shortcut_gap(self) -> float | None:
        """Return the opener rule's accuracy on unseen queries minus the majority's; None if not estimable."""
        rule = self.predictability["opener"]
        return None if rule.test is None or rule.baseline is None else rule.test - rule.baseline

    def to_json(self) -> dict[str, Any]:
        """Return the document: plain values only, null where something is not estimable."""
        return {
            "schema": SCHEMA,
            "source": self.source,
            "format": self.format,
            "n": self.n,
            "refused": self.refused,
            "label_source": self.label_source,
            "predictability": {name: asdict(accuracy) for name, accuracy in self.predictability.items()},
            "shortcut_gap": self.shortcut_gap,
            "findings": [_finding(finding) for finding in self.findings],
            "openers": [asdict(count) for count in self.openers],
            "suggested": {name: list(words) for name, words in asdict(self.suggested).items()},
        }


def _finding(finding: Finding) -> dict[str, Any]:
    document = asdict(finding)
    del document["p_value"]
    return document
