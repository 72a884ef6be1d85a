"""Print tables that compare the audited data with other versions of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from unmirage.cli.audit_parts import PROBE_NAMES, new_table, points, share
from unmirage.cli.plain import plain

if TYPE_CHECKING:
    from unmirage.audit import AuditResult
    from unmirage.audit.accuracy import Accuracy

_REMEDIES = {"balanced": "queries dropped", "diversified": "queries reworded"}
_MOST_LISTED = 3


def remedies_table(result: AuditResult) -> Table:
    """Return a table of the data and the repaired versions."""
    table = new_table("Audit of the repaired versions")
    table.add_column("")
    for name in ("as it is", *(_REMEDIES[name] for name in result.remedies)):
        table.add_column(name, justify="right")
    repaired = result.remedies.values()
    table.add_row("queries", f"{result.n:,}", *(f"{one.n:,}" for one in repaired))
    table.add_row("refused", f"{result.refused:,}", *(f"{one.refused:,}" for one in repaired))
    table.add_row("dropped", "", *(f"{one.dropped:,}" for one in repaired))
    table.add_row("reworded", "", *(f"{one.changed:,}" for one in repaired))
    if any(one.unchanged_wording for one in repaired):
        table.add_row("no other wording known", "", *(f"{one.unchanged_wording:,}" for one in repaired))
    table.add_row("shortcut gap, points", points(result.shortcut_gap), *(points(one.shortcut_gap) for one in repaired))
    _add_rungs(table, result.predictability, [one.predictability for one in repaired])
    table.add_row("written to", "", *(plain(one.file, 30) for one in repaired))
    return table


def compare_table(result: AuditResult) -> Table:
    """Return a table of the data and another version of them."""
    other = result.compare
    assert other is not None
    table = new_table("Two versions of the data")
    table.add_column("")
    table.add_column(plain(result.source, 30), justify="right")
    table.add_column(plain(other.source, 30), justify="right")
    table.add_row("queries", f"{result.n:,}", f"{other.n:,}")
    table.add_row("refused", f"{result.refused:,}", f"{other.refused:,}")
    table.add_row("shortcut gap, points", points(result.shortcut_gap), points(other.shortcut_gap))
    _add_rungs(table, result.predictability, [other.predictability])
    table.add_row("features predictive only there", f"{other.gone_n:,}", f"{other.new_n:,}")
    return table


def only_in(result: AuditResult) -> list[list[str | Text]]:
    """Return one line per version, in parts: the features that only this version associates with a label."""
    other = result.compare
    assert other is not None
    lines: list[list[str | Text]] = []
    for source, found in ((result.source, other.gone), (other.source, other.new)):
        said = [Text.assemble(plain(one.text), f" ({one.direction})") for one in found[:_MOST_LISTED]]
        if said:
            lines.append(["Predictive only in ", plain(source, 30), ": queries that ", Text("; ").join(said)])
    return lines


def _add_rungs(table: Table, own: Mapping[str, Accuracy], others: list[Mapping[str, Accuracy]]) -> None:
    table.add_section()
    table.add_row("accuracy from …", *[""] * (1 + len(others)))
    for name, accuracy in own.items():
        row = [accuracy, *(other.get(name) for other in others)]
        if any(one is not None and one.test is not None for one in row):
            table.add_row(f"  {PROBE_NAMES[name]}", *(share(None if one is None else one.test) for one in row))
    table.add_section()
