"""Compare two audits: differences between datasets, and the effect of a remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from unmirage.audit.corpus import Bools, Floats
from unmirage.audit.findings import MAX_Q_VALUE
from unmirage.audit.informedness import Informedness
from unmirage.audit.probes import Accuracy
from unmirage.audit.ranking import Auc
from unmirage.records import Amount, Count, Difference, Finding, Share

MOST_LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightCounts:
    """The weights of a weighted dataset.

    Attributes:
        refused: share of the weight of refused queries.
        zero: queries that weigh 0, because their opener has one label.
        capped: queries whose opener has smaller weights because of the greatest weight.
        largest: the largest weight.
        effective: effective number of queries, (sum of weights)² / sum of squared weights.
    """

    refused: Share
    zero: Count
    capped: Count
    largest: Amount
    effective: Amount

    @classmethod
    def of(cls, weights: Floats, refused: Bools, capped: int) -> WeightCounts:
        """Return the counts of some weights, which are not all 0."""
        total = float(weights.sum())
        return cls(
            refused=min(1.0, float(weights[refused].sum()) / total),
            zero=int((weights == 0).sum()),
            capped=capped,
            largest=float(weights.max()),
            effective=total**2 / float((weights**2).sum()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyOutcome:
    """Audit of a repaired dataset.

    Attributes:
        n, refused: number of queries and of refused queries.
        dropped, repeated, changed, added: queries dropped, written again, reworded, and added as twins.
        unchanged_wording: queries selected for rewording, but without another known wording.
        lost_places: those whose wordings all lose the place of a picture inside the query.
        missing: twins that could not be made.
        weights: the weights; None if queries have none. The audit then reads queries drawn in proportion to them.
        notes: what to know before using the file.
        predictability, informedness, auc, shortcut_gap: as in the audit of this dataset.
    """

    file: str = ""
    n: Count
    refused: Count
    dropped: Count = 0
    repeated: Count = 0
    changed: Count = 0
    added: Count = 0
    unchanged_wording: Count = 0
    lost_places: Count = 0
    missing: Count = 0
    weights: WeightCounts | None = None
    notes: tuple[str, ...] = ()
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
