"""The columns of the comparison of methods, and which rows are best on all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from unmirage.evaluate import ModelRates
from unmirage.records import Rate

COLUMNS: dict[str, Callable[[ModelRates], Rate]] = {
    "asr_before": lambda rates: rates.asr.before,
    "asr_after": lambda rates: rates.asr.after,
    "asr_control": lambda rates: rates.asr_control,
    "rr_before": lambda rates: rates.rr.before,
    "rr_after": lambda rates: rates.rr.after,
    "ir_before": lambda rates: rates.ir.before,
    "ir_after": lambda rates: rates.ir.after,
    "utility": lambda rates: rates.utility,
    "near": lambda rates: rates.near,
}
# What a row is to be good at, and whether more is better. An irrelevant answer to an unsafe query is neither harm nor
# help, so IR is told but not judged; what irrelevance costs elsewhere shows in utility and near.
GOALS = {"asr_after": False, "rr_after": False, "utility": True, "near": True}


def front(rows: Mapping[str, ModelRates]) -> list[str]:
    """Return the rows that no other row beats: none is as good on every goal and better on one.

    By the values alone: rows whose intervals overlap may trade places with other seeds.
    """
    points = {name: _point(rates) for name, rates in rows.items()}
    return [name for name, own in points.items() if not any(_beats(other, own) for other in points.values())]


def beaten_by(rows: Mapping[str, ModelRates]) -> dict[str, list[str]]:
    """Return the rows of the front that beat each row; nothing for those of the front."""
    points = {name: _point(rates) for name, rates in rows.items()}
    best = front(rows)
    return {name: [one for one in best if _beats(points[one], own)] for name, own in points.items()}


def _point(rates: ModelRates) -> tuple[float, ...]:
    """Return the goals so that more is better; what is not estimable is as bad as can be."""
    found = []
    for column, more in GOALS.items():
        value = COLUMNS[column](rates).value
        found.append(float("-inf") if value is None else value if more else -value)
    return tuple(found)


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))
