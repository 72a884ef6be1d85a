"""Compare two audits: differences between datasets, and the effect of a remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from unmirage.audit.findings import MAX_Q_VALUE
from unmirage.audit.informedness import Informedness
from unmirage.audit.probes import Accuracy
from unmirage.audit.ranking import Auc
from unmirage.records import Count, Difference, Finding

MOST_LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyOutcome:
    """Audit of a repaired dataset.

    Attributes:
        n, refused: number of queries and of refused queries.
        unchanged_wording: queries selected for rewording, but without another known wording.
        predictability, informedness, auc, shortcut_gap: as in the audit of this dataset.
    """

    file: str = ""
    n: Count
    refused: Count
    dropped: Count = 0
    changed: Count = 0
    unchanged_wording: Count = 0
    predictability: Mapping[str, Accuracy] = field(default_factory=dict)
    informedness: Informedness = field(default_factory=Informedness)
    auc: Auc = field(default_factory=Auc)
    shortcut_gap: Difference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Comparison with another version of the dataset.

    Attributes:
        n, refused: number of queries and of refused queries.
        predictability, informedness, auc, shortcut_gap: as in the audit of this version.
        gone: the strongest findings that this version lacks or reverses.
        gone_n: number of such findings.
        new: the strongest findings that only this version has, or that it reverses.
        new_n: number of such findings.
    """

    source: str
    n: Count
    refused: Count
    predictability: Mapping[str, Accuracy] = field(default_factory=dict)
    informedness: Informedness = field(default_factory=Informedness)
    auc: Auc = field(default_factory=Auc)
    shortcut_gap: Difference | None = None
    gone: tuple[Finding, ...] = ()
    gone_n: Count | None = None
    new: tuple[Finding, ...] = ()
    new_n: Count | None = None


def only_in(one: tuple[Finding, ...], other: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings of the first audit that the second lacks, without redundant ones, the strongest first."""
    there = {_key(finding) for finding in other if _is_tied(finding)}
    return tuple(f for f in one if _is_tied(f) and f.redundant_with is None and _key(f) not in there)


def _key(finding: Finding) -> tuple[object, ...]:
    return finding.kind, finding.position, finding.feature, finding.direction


def _is_tied(finding: Finding) -> bool:
    return finding.q_value < MAX_Q_VALUE and finding.direction != "none"
