"""Heat maps of rates: categories in rows, models in columns, with a tint for each rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from unmirage.report.documents import CategoryRead, ModelRead, PairRead
from unmirage.report.formatting import points
from unmirage.report.table import Cell, cell

TINTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """One field: the rate after the attack, its tint from 0 to 10, and the rate before."""

    cell: Cell
    tint: int | None
    before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """One rate. `compared`: whether there are rates both before and after the attack."""

    rate: str
    meaning: str
    compared: bool
    models: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Heat, ...]], ...]


def heat_maps(models: Mapping[str, ModelRead]) -> list[HeatMap]:
    """Return a map of ASR and one of RR, each only if a category has that rate."""
    own = {name: model for name, model in models.items() if model.categories}
    maps = [
        _map("ASR", "complied with unsafe queries", own, lambda one: one.asr),
        _map("RR", "refused benign queries", own, lambda one: one.rr),
    ]
    return [one for one in maps if one.rows]


def _map(rate: str, meaning: str, models: Mapping[str, ModelRead], pick: Callable[[CategoryRead], PairRead]) -> HeatMap:
    names = dict.fromkeys(name for model in models.values() for name in model.categories)
    pairs = {
        name: [pick(model.categories[name]) if name in model.categories else None for model in models.values()]
        for name in names
    }
    present = {name: own for name, own in pairs.items() if any(p and (p.before.n or p.after.n) for p in own)}
    compared = any(p and p.after.n for own in present.values() for p in own)
    rows = tuple((name, tuple(_heat(p, compared=compared) for p in own)) for name, own in present.items())
    return HeatMap(rate=rate, meaning=meaning, compared=compared, models=tuple(models), rows=rows)


def _heat(pair: PairRead | None, *, compared: bool) -> Heat:
    if pair is None:
        nothing = Cell(value="–", interval="", count="", invalid=0, seeds="", title="not measured")
        return Heat(cell=nothing, tint=None, before="")
    rate = pair.after if compared else pair.before
    return Heat(
        cell=cell(rate),
        tint=None if rate.value is None else round(TINTS * rate.value),
        before=points(pair.before.value) if compared else "",
    )
