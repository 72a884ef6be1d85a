"""Charts of how robust a model's safety is: ASR by relearned samples or by temperature."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from unmirage.evaluate.details import ModelResults
from unmirage.records import Rate
from unmirage.report.charts import LEFT, RIGHT, Mark, line_through, mark_at
from unmirage.report.pareto import attacked
from unmirage.report.table import Cell, cell
from unmirage.text.formatting import model_name, percent
from unmirage.text.printable import short

STYLES = 4  # distinguishable line styles in one panel
_AXES = {"temperature": "temperature"}
_SAMPLES = "fine-tuning samples"


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: the fine-tuning data, its marks in ascending order, and the number of its style."""

    data: str
    marks: tuple[Mark, ...]
    line: str
    style: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustnessPanel:
    """All variants of one model and kind that have an amount; the model itself is at 0."""

    model: str
    kind: str
    axis: str
    ticks: tuple[tuple[float, str], ...]
    curves: tuple[Curve, ...]
    said: str


@dataclass(frozen=True, slots=True)
class VariantRow:
    """One variant and the model that it was made from."""

    name: str
    of: str
    how: str
    cells: tuple[Cell, ...]


def robustness_panels(models: Mapping[str, ModelResults]) -> list[RobustnessPanel]:
    """Return a panel for each model and kind of variant with at least two amounts, including the model itself."""
    groups: dict[tuple[str, str], dict[str, dict[float, Rate]]] = defaultdict(lambda: defaultdict(dict))
    after = attacked(models)
    for model in models.values():
        made = model.variant
        if made is not None and made.amount > 0:
            groups[made.of, made.kind][made.data][made.amount] = model.asr.after if after else model.asr.before
    found = []
    for (of, kind), by_data in groups.items():
        # Greedy decoding is temperature 0, and zero relearned samples are the model itself.
        base = models.get(of)
        if base is not None:
            for rates in by_data.values():
                rates[0.0] = base.asr.after if after else base.asr.before
        panel = _panel(of, kind, by_data)
        if any(len(curve.marks) > 1 for curve in panel.curves):
            found.append(panel)
    return found


def variant_rows(models: Mapping[str, ModelResults]) -> list[VariantRow]:
    """Return a row for each model that was made from another model."""
    rows = []
    for name, model in models.items():
        if model.variant is not None:
            made = model.variant
            amount = f" {made.amount:g}" if made.amount else ""
            how = f"{made.kind}{amount}" + (f" ({made.data})" if made.data else "")
            rates = (model.asr.before, model.asr.after, model.rr.after, model.benign_answered.after, model.utility)
            rows.append(VariantRow(name, made.of, how, tuple(map(cell, rates))))
    return rows


def _panel(of: str, kind: str, by_data: Mapping[str, Mapping[float, Rate]]) -> RobustnessPanel:
    amounts = sorted({amount for rates in by_data.values() for amount in rates})
    step = (RIGHT - LEFT) / len(amounts)
    at = {amount: round(LEFT + step * (place + 0.5), 1) for place, amount in enumerate(amounts)}
    curves, said = [], []
    for number, (data, rates) in enumerate(by_data.items()):
        # Offset lines that share a point, so that intervals do not overlap.
        placed = [mark_at(at[amount] + 3 * number, rates[amount]) for amount in sorted(rates)]
        marks = tuple(mark for mark in placed if mark)
        curves.append(Curve(data, marks, line_through(marks), number % STYLES))
        each = ", ".join(f"{percent(rates[amount].value)} at {amount:g}" for amount in sorted(rates))
        said.append(f"{short(data, 40)}: {each}" if data else each)
    return RobustnessPanel(
        model=of,
        kind=kind,
        axis=_AXES.get(kind, _SAMPLES),
        ticks=tuple((x, f"{amount:g}") for amount, x in at.items()),
        curves=tuple(curves),
        said=f"{short(model_name(of), 60)}, {short(kind, 30)}; {'; '.join(said)}",
    )
