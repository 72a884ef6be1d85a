"""Compare an audit with other versions of the data in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from unmirage.report.audit_document import RemedyRead, VersionRead
from unmirage.report.audit_ladder import rung_name
from unmirage.report.formatting import percent, points, signed_points

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


def remedies(now: VersionRead, found: Mapping[str, RemedyRead]) -> Changes | None:
    """Return a comparison of the data with the result of each remedy; None without remedies."""
    if not found:
        return None
    titles = [Cell("Original")] + [Cell(_REMEDIES.get(name, name), one.file) for name, one in found.items()]
    return _changes(titles, [now, *found.values()], edited=True)


def comparison(now: VersionRead, source: str, other: VersionRead, other_source: str) -> Changes:
    """Return a comparison of two files."""
    return _changes([Cell(source), Cell(other_source)], [now, other], edited=False)


def _changes(titles: list[Cell], versions: list[VersionRead], *, edited: bool) -> Changes:
    kinds: list[tuple[str, Callable[[VersionRead], Cell]]] = [
        ("Queries", lambda one: Cell(f"{one.n:,}")),
        ("Refused", lambda one: Cell(f"{one.refused:,}", percent(one.refused / one.n) if one.n else "")),
    ]
    if edited:
        kinds.append(("Queries dropped", lambda one: _edits(one, lambda remedy: remedy.dropped)))
        kinds.append(("Queries rewritten", lambda one: _edits(one, lambda remedy: remedy.changed)))
        kinds.append(("Unchanged, because no rewrite was found", _unchanged))
    kinds.append(("Shortcut gap, points", lambda one: Cell(points(one.shortcut_gap))))
    counts = [Change(name, tuple(map(cell, versions))) for name, cell in kinds]
    rungs = [
        Change(rung_name(name), tuple(_rung(one, name) for one in versions))
        for name in dict.fromkeys(name for one in versions for name in one.predictability)
        if any(_estimable(one, name) for one in versions)
    ]
    return Changes(tuple(titles), tuple(counts), tuple(rungs))


def _edits(version: VersionRead, count: Callable[[RemedyRead], int]) -> Cell:
    return Cell(f"{count(version):,}") if isinstance(version, RemedyRead) else Cell(NOTHING)


def _unchanged(version: VersionRead) -> Cell:
    return _edits(version, lambda remedy: remedy.unchanged_wording)


def _estimable(version: VersionRead, name: str) -> bool:
    accuracy = version.predictability.get(name)
    return accuracy is not None and accuracy.test is not None


def _rung(version: VersionRead, name: str) -> Cell:
    """Return the accuracy on unseen queries, and below it the gain over the majority, which differs by version."""
    accuracy = version.predictability.get(name)
    if accuracy is None:
        return Cell(NOTHING)
    return Cell(points(accuracy.test), "" if name == "majority" else signed_points(accuracy.gap))
