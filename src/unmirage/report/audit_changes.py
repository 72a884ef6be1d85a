"""Tables that compare an audit with those of repaired versions, or of another file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from unmirage.audit.compare import Comparison, RemedyOutcome, WeightCounts
from unmirage.audit.informedness import Informedness
from unmirage.audit.ranking import Auc
from unmirage.audit.result import AuditResult
from unmirage.report.audit_view import rung_name
from unmirage.text.formatting import percent, points, signed_points

Version = AuditResult | RemedyOutcome | Comparison
NOTHING = "–"

_REMEDIES = {"balanced": "Balanced", "diversified": "Diversified"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A value, and an explanation below it."""

    value: str
    small: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One row: the same value for every version."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """Comparison of versions: counts, then probes. `titles` name the versions, with the file below."""

    titles: tuple[Cell, ...]
    counts: tuple[Change, ...]
    rungs: tuple[Change, ...]


def remedies(now: Version, found: Mapping[str, RemedyOutcome]) -> Changes | None:
    """Return a comparison of the data with the result of each remedy; None without remedies."""
    if not found:
        return None
    titles = [Cell("Original")] + [Cell(_REMEDIES.get(name, name), one.file) for name, one in found.items()]
    return _changes(titles, [now, *found.values()], edited=True)


def comparison(now: Version, source: str, other: Version, other_source: str) -> Changes:
    """Return a comparison of two files."""
    return _changes([Cell(source), Cell(other_source)], [now, other], edited=False)


def _changes(titles: list[Cell], versions: list[Version], *, edited: bool) -> Changes:
    kinds: list[tuple[str, Callable[[Version], Cell]]] = [
        ("Queries", lambda one: Cell(f"{one.n:,}")),
        ("Refused", lambda one: Cell(f"{one.refused:,}", percent(one.refused / one.n) if one.n else "")),
    ]
    if edited:
        kinds.append(("Queries dropped", lambda one: _edits(one, lambda remedy: remedy.dropped)))
        kinds.append(("Queries rewritten", lambda one: _edits(one, lambda remedy: remedy.changed)))
        kinds.append(("Unchanged, because no rewrite was found", _unchanged))
    kinds.append(("Informedness of the first word", lambda one: _measured(one.informedness)))
    kinds.append(("AUC of the first word", lambda one: _measured(one.auc)))
    kinds.append(("Shortcut gap, points", lambda one: Cell(points(one.shortcut_gap))))
    counts = [Change(name, tuple(map(cell, versions))) for name, cell in kinds]
    rungs = [
        Change(rung_name(name), tuple(_rung(one, name) for one in versions))
        for name in dict.fromkeys(name for one in versions for name in one.predictability)
        if any(_estimable(one, name) for one in versions)
    ]
    return Changes(tuple(titles), tuple(counts), tuple(rungs))


def _measured(found: Informedness | Auc) -> Cell:
    if found.value is None or found.low is None or found.high is None:
        return Cell(NOTHING)
    return Cell(f"{found.value:.2f}", f"{found.low:.2f}–{found.high:.2f}")


def _edits(version: Version, count: Callable[[RemedyOutcome], int]) -> Cell:
    return Cell(f"{count(version):,}") if isinstance(version, RemedyOutcome) else Cell(NOTHING)


def _unchanged(version: Version) -> Cell:
    return _edits(version, lambda remedy: remedy.unchanged_wording)


def _estimable(version: Version, name: str) -> bool:
    accuracy = version.predictability.get(name)
    return accuracy is not None and accuracy.test is not None


def _rung(version: Version, name: str) -> Cell:
    """Return the accuracy on unseen queries, and below it the gain over the majority, which differs by version."""
    accuracy = version.predictability.get(name)
    if accuracy is None:
        return Cell(NOTHING)
    return Cell(points(accuracy.test), "" if name == "majority" else signed_points(accuracy.gap))
