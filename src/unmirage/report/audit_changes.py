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
REMEDIES = {"balanced": "Balanced", "diversified": "Diversified", "weighted": "Weighted", "twins": "With twins"}
_EDITS: tuple[tuple[str, Callable[[RemedyOutcome], int]], ...] = (
    ("Dropped", lambda one: one.dropped),
    ("Reworded", lambda one: one.changed),
    ("Repeated", lambda one: one.repeated),
    ("Added as twins", lambda one: one.added),
    ("Twins missing", lambda one: one.missing),
    ("No other wording", lambda one: one.unchanged_wording - one.lost_places),
    ("Picture place lost", lambda one: one.lost_places),
)
_ALWAYS = 2
_WEIGHTS: tuple[tuple[str, Callable[[WeightCounts], str]], ...] = (
    ("Refused weight", lambda found: f"{found.refused:.1%}"),
    ("Weight 0 (one label)", lambda found: f"{found.zero:,}"),
    ("Weight limited", lambda found: f"{found.capped:,}"),
    ("Largest weight", lambda found: f"{found.largest:.1f}"),
    ("Effective queries", lambda found: f"{found.effective:,.0f}"),
)


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


def edits(found: Collection[RemedyOutcome]) -> list[tuple[str, list[str]]]:
    """Return what each remedy changed, by name of the change. Changes that none made are left out."""
    rows = [(name, [f"{count(one):,}" for one in found]) for name, count in _EDITS]
    rows = [row for place, row in enumerate(rows) if place < _ALWAYS or set(row[1]) != {"0"}]
    if any(one.weights for one in found):
        rows += [(name, [told(one.weights) if one.weights else "" for one in found]) for name, told in _WEIGHTS]
    return rows


def remedies(now: Version, found: Mapping[str, RemedyOutcome]) -> Changes | None:
    """Return a comparison of the data with the result of each remedy; None without remedies."""
    if not found:
        return None
    titles = [Cell("Original")] + [Cell(REMEDIES.get(name, name), one.file) for name, one in found.items()]
    return _changes(titles, [now, *found.values()], edits(found.values()))


def comparison(now: Version, source: str, other: Version, other_source: str) -> Changes:
    """Return a comparison of two files."""
    return _changes([Cell(source), Cell(other_source)], [now, other], [])


def _changes(titles: list[Cell], versions: list[Version], edited: list[tuple[str, list[str]]]) -> Changes:
    kinds: list[tuple[str, Callable[[Version], Cell]]] = [
        ("Queries", lambda one: Cell(f"{one.n:,}")),
        ("Refused", lambda one: Cell(f"{one.refused:,}", percent(one.refused / one.n) if one.n else "")),
    ]
    told: list[tuple[str, Callable[[Version], Cell]]] = [
        ("Informedness of the first word", lambda one: _measured(one.informedness)),
        ("AUC of the first word", lambda one: _measured(one.auc)),
        ("Shortcut gap, points", lambda one: Cell(points(one.shortcut_gap))),
    ]
    counts = [Change(name, tuple(map(cell, versions))) for name, cell in kinds]
    counts += [Change(name, (Cell(NOTHING), *(Cell(value or NOTHING) for value in values))) for name, values in edited]
    counts += [Change(name, tuple(map(cell, versions))) for name, cell in told]
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


def _estimable(version: Version, name: str) -> bool:
    accuracy = version.predictability.get(name)
    return accuracy is not None and accuracy.test is not None


def _rung(version: Version, name: str) -> Cell:
    """Return the accuracy on unseen queries, and below it the gain over the majority, which differs by version."""
    accuracy = version.predictability.get(name)
    if accuracy is None:
        return Cell(NOTHING)
    return Cell(points(accuracy.test), "" if name == "majority" else signed_points(accuracy.gap))
