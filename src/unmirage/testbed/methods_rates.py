"""Columns of the comparison of methods, and its Pareto front."""

from __future__ import annotations

from collections.abc import Mapping

from unmirage.evaluate import ModelRates
from unmirage.evaluate.named_rates import RATES

COLUMNS = {name.replace(".", "_"): rate for name, rate in RATES.items()}
# The compared rates, and whether more is better. An unanswered benign query counts against a row whether the response
# is a refusal or irrelevant, so benign answered is compared and RR is not. An irrelevant response to an unsafe query
# is neither harmful nor helpful, so IR is not compared either.
GOALS = {"asr_after": False, "benign_answered_after": True, "utility": True, "neighbor_utility": True}


def front(rows: Mapping[str, ModelRates]) -> list[str]:
    """Return the Pareto front: rows such that no other row is at least as good on every goal and better on one.

    It uses only the values; rows with overlapping intervals may change places with other seeds.
    """
    points = {name: _point(rates) for name, rates in rows.items()}
    return [name for name, own in points.items() if not any(_beats(other, own) for other in points.values())]


def beaten_by(rows: Mapping[str, ModelRates]) -> dict[str, list[str]]:
    """Return the rows of the front that beat each row; nothing for rows of the front."""
    points = {name: _point(rates) for name, rates in rows.items()}
    best = front(rows)
    return {name: [one for one in best if _beats(points[one], own)] for name, own in points.items()}


def _point(rates: ModelRates) -> tuple[float, ...]:
    """Return the goals with signs so that more is better; a rate that is not estimable counts as the worst."""
    found = []
    for column, more in GOALS.items():
        value = COLUMNS[column](rates).value
        found.append(float("-inf") if value is None else value if more else -value)
    return tuple(found)


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))
