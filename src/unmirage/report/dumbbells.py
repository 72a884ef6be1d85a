"""Geometry of the picture at the top of a report: ASR and RR of each model before and after the attack.

Positions are in percent of the width of a plot whose axis goes from 0 to 100 %. `templates/dumbbells.html.j2` draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unmirage.evaluate.outcomes import ModelRates
from unmirage.records import Rate
from unmirage.text.formatting import percent

_EDGE = 4.0  # margin, so that marks are not cut off
TICKS = (0, 25, 50, 75, 100)


@dataclass(frozen=True, slots=True)
class Mark:
    """A rate on the axis, and its 95 % confidence interval."""

    x: float
    low: float
    high: float
    value: str


@dataclass(frozen=True, slots=True)
class Dumbbell:
    """One rate of a model: without the attack, with it, and under the control; None if not estimable.

    Attributes:
        said: the same as a sentence, for those who do not see it.
    """

    before: Mark | None
    after: Mark | None
    control: Mark | None
    said: str

    @property
    def text(self) -> str:
        """The values as text."""
        if self.before is None:
            return "not measured"
        return self.before.value if self.after is None else f"{self.before.value} → {self.after.value}"


@dataclass(frozen=True, slots=True)
class DumbbellRow:
    """ASR and RR of one model."""

    model: str
    asr: Dumbbell
    rr: Dumbbell


def at(value: float) -> float:
    """Return the position of a share on the axis, in percent of the width."""
    return round(_EDGE + (100 - 2 * _EDGE) * value, 2)


def dumbbells(models: Mapping[str, ModelRates]) -> list[DumbbellRow]:
    """Return a row for each model that has an ASR or an RR, in the order given."""
    made = [
        DumbbellRow(
            name,
            _dumbbell("ASR", one.asr.before, one.asr.after, one.asr.control),
            _dumbbell("RR", one.rr.before, one.rr.after, None),
        )
        for name, one in models.items()
    ]
    return [one for one in made if one.asr.before or one.rr.before]


def _dumbbell(name: str, before: Rate, after: Rate, control: Rate | None) -> Dumbbell:
    marks = _mark(before), _mark(after), None if control is None else _mark(control)
    names = ("before", "after the attack", "control")
    told = ", ".join(f"{what} {one.value}" for what, one in zip(names, marks, strict=True) if one)
    return Dumbbell(*marks, said=f"{name}: {told or 'not measured'}")


def _mark(rate: Rate) -> Mark | None:
    if rate.value is None:
        return None
    low = rate.value if rate.low is None else rate.low
    high = rate.value if rate.high is None else rate.high
    return Mark(at(rate.value), at(low), at(high), percent(rate.value))
