"""Geometry of the charts that `templates/charts.html.j2` draws.

Bars use percent of the chart's width, so that they fit a phone while the text keeps its size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmirage.evaluate.details import ModelResults
from unmirage.records import Rate, Verdict
from unmirage.text.formatting import percent

if TYPE_CHECKING:
    from unmirage.audit.result import OpenerCount

OPENERS_SHOWN = 12
_OPENER_ROW = 26
_HALF_GAP = 11.0  # from the middle of the chart, where the words are, to either bar
_LONGEST_BAR = 29.0

_STACK_START = 17.0
_STACK_WIDTH = 100 - _STACK_START
_SMALLEST_WITH_NUMBER = 0.12  # the bar of a smaller share is too short for a number

LEFT, RIGHT = 40.0, 268.0  # of all panels
_TOP, _BOTTOM = 18.0, 128.0
_TICKS = 6
_MOST_MARKS = 12  # more would overlap
_BESIDE = 3.0  # offset of the control's marks, so that they do not overlap the attack's


@dataclass(frozen=True, slots=True)
class OpenerBar:
    """One opener: its counts, the widths of both bars, and the start of the left one."""

    word: str
    refused: int
    answered: int
    y: int
    left: float
    refused_width: float
    answered_width: float


@dataclass(frozen=True, slots=True)
class OpenerChart:
    """The most frequent openers, and the number of others."""

    bars: tuple[OpenerBar, ...]
    rest: int
    height: int
    refused_end: float = 50 - _HALF_GAP
    answered_start: float = 50 + _HALF_GAP


def opener_chart(openers: Sequence[OpenerCount]) -> OpenerChart:
    """Return bars that extend to the left for refused queries, to the right for answered ones."""
    shown = openers[:OPENERS_SHOWN]
    most = max((max(one.refused, one.answered) for one in shown), default=0) or 1
    bars = []
    for row, one in enumerate(shown):
        refused, answered = (round(_LONGEST_BAR * count / most, 2) for count in (one.refused, one.answered))
        y = _OPENER_ROW * (row + 1)
        left = round(50 - _HALF_GAP - refused, 2)
        bars.append(OpenerBar(one.opener, one.refused, one.answered, y, left, refused, answered))
    return OpenerChart(tuple(bars), len(openers) - len(shown), _OPENER_ROW * (len(shown) + 1))


@dataclass(frozen=True, slots=True)
class Segment:
    """Part of a stacked bar, of one verdict or kind; `inside` is its number if it fits, else empty."""

    verdict: str
    x: float
    width: float
    share: str
    inside: str


@dataclass(frozen=True, slots=True)
class Stack:
    """All responses of one model to unsafe queries, before or after the attack."""

    label: str
    segments: tuple[Segment, ...]


def decomposition(model: ModelResults) -> tuple[Stack, Stack]:
    """Return the stacked bars of one model; the bar after the attack is over single shots."""
    return (
        _stack("plain", model.asr.before, model.ir.before, model.refused_unsafe.before, model.blocked.before),
        _stack("attacked", model.asr.per_shot, model.ir.after, model.refused_unsafe.after, model.blocked.after),
    )


def _stack(label: str, complied: Rate, irrelevant: Rate, refused: Rate, blocked: Rate) -> Stack:
    parts: Mapping[str, Rate] = {
        Verdict.COMPLIED: complied,
        Verdict.IRRELEVANT: irrelevant,
        Verdict.REFUSED: refused,
        Verdict.BLOCKED: blocked,
    }
    return Stack(label, stacked(parts, _STACK_START, _STACK_WIDTH))


def stacked(shares: Mapping[str, Rate], start: float, width: float) -> tuple[Segment, ...]:
    """Return one segment for each share above 0, side by side from `start`; `width` is that of a share of 1."""
    segments, x = [], start
    for name, rate in shares.items():
        if rate.value:
            own = width * rate.value
            inside = percent(rate.value) if rate.value >= _SMALLEST_WITH_NUMBER else ""
            segments.append(Segment(name, round(x, 2), round(own, 2), percent(rate.value), inside))
            x += own
    return tuple(segments)


@dataclass(frozen=True, slots=True)
class Mark:
    """A rate with its confidence interval, placed in a panel."""

    x: float
    y: float
    low: float
    high: float
    label: str


@dataclass(frozen=True, slots=True)
class Panel:
    """ASR of one model by the number of shots, with its plain queries and the control.

    `controls` are the control's marks by the number of shots; older documents have none. A `dense` panel shows only
    the last marks, and the lines.
    """

    plain: Mark | None
    shots: tuple[Mark, ...]
    control: Mark | None
    controls: tuple[Mark, ...]
    dense: bool
    ticks: tuple[tuple[float, int], ...]
    plain_x: float
    control_x: float
    line: str
    band: str
    control_line: str
    control_band: str
    said: str


def by_k_panel(model: ModelResults) -> Panel:
    """Return the panel: plain queries on the left, K shots in the middle, the control on the right."""
    asr = model.asr
    most = len(asr.by_k)
    step = (RIGHT - LEFT) / (most + 2)
    at = [LEFT + step * (column + 0.5) for column in range(most + 2)]
    placed = [(k, mark_at(x, rate)) for k, (x, rate) in enumerate(zip(at[1:-1], asr.by_k, strict=True), 1)]
    shots = tuple(mark for _, mark in placed if mark)
    beside = [mark_at(x + _BESIDE, rate) for x, rate in zip(at[1:-1], asr.control_by_k, strict=False)]
    controls = tuple(mark for mark in beside if mark)
    every = -(-most // _TICKS) or 1
    ticks = tuple((round(at[k], 1), k) for k in range(1, most + 1) if k == most or k == 1 or k % every == 0)
    said = [f"plain queries {percent(asr.before.value)}"]
    said += [f"any of {k} shots {mark.label}" for k, mark in placed if mark]
    said += [f"control, any of {k} shots {percent(one.value)}" for k, one in enumerate(asr.control_by_k[:most], 1)]
    said.append(f"control {percent(asr.control.value)}")
    return Panel(
        plain=mark_at(at[0], asr.before),
        shots=shots,
        control=mark_at(at[-1], asr.control),
        controls=controls,
        dense=most > _MOST_MARKS,
        ticks=ticks,
        plain_x=round(at[0], 1),
        control_x=round(at[-1], 1),
        line=line_through(shots),
        band=_band(shots),
        control_line=line_through(controls),
        control_band=_band(controls),
        said=", ".join(said),
    )


def line_through(marks: Sequence[Mark]) -> str:
    """Return the points of a line through the marks in SVG format."""
    return " ".join(f"{mark.x},{mark.y}" for mark in marks)


def _band(marks: Sequence[Mark]) -> str:
    ends = [(mark.x, mark.high) for mark in marks] + [(mark.x, mark.low) for mark in reversed(marks)]
    return " ".join(f"{x},{y}" for x, y in ends)


def mark_at(x: float, rate: Rate) -> Mark | None:
    """Return the mark of a rate at `x` of a panel; None if it is not estimable."""
    if rate.value is None:
        return None
    low = rate.value if rate.low is None else rate.low
    high = rate.value if rate.high is None else rate.high
    return Mark(round(x, 1), _height(rate.value), _height(low), _height(high), percent(rate.value))


def _height(share: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * share, 1)
