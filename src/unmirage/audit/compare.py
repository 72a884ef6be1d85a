"""Two audits in, what differs between the datasets out; and what a remedy turned a dataset into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unmirage.audit.accuracy import Accuracy
from unmirage.audit.findings import MAX_Q_VALUE
from unmirage.records import Finding

MOST_LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyOutcome:
    """A repaired dataset, audited again.

    Attributes:
        file: name of the file that holds it.
        n, refused: its queries.
        dropped: queries that it lacks.
        changed: queries that are worded differently.
        unchanged_wording: queries that were to be reworded, but no other wording is known.
        predictability, shortcut_gap: as measured on it.
    """

    file: str
    n: int
    refused: int
    dropped: int
    changed: int
    unchanged_wording: int
    predictability: Mapping[str, Accuracy]
    shortcut_gap: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Another version of the dataset.

    Attributes:
        source: name of its file.
        n, refused: its queries.
        predictability, shortcut_gap: as measured on it.
        gone: the strongest findings that it has no more, or that turned round.
        gone_n: how many there are in all.
        new: the strongest findings that only it has, or that turned round.
        new_n: how many there are in all.
    """

    source: str
    n: int
    refused: int
    predictability: Mapping[str, Accuracy]
    shortcut_gap: float | None
    gone: tuple[Finding, ...]
    gone_n: int
    new: tuple[Finding, ...]
    new_n: int


def only_in(one: tuple[Finding, ...], other: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings of the first audit that the second lacks, the strongest first; echoes are passed over."""
    there = {_key(finding) for finding in other if _is_tied(finding)}
    return tuple(f for f in one if _is_tied(f) and f.echo_of is None and _key(f) not in there)


def _key(finding: Finding) -> tuple[object, ...]:
    return finding.kind, finding.position, finding.feature, finding.direction


def _is_tied(finding: Finding) -> bool:
    return finding.q_value < MAX_Q_VALUE and finding.direction != "none"
