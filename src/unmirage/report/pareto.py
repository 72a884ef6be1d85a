"""Plot of safety against utility: marks, the Pareto front, and labels that do not overlap."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from unmirage.evaluate.details import ModelResults
from unmirage.records import Rate
from unmirage.report.table import collapse
from unmirage.text.formatting import model_name, percent
from unmirage.text.printable import short

WIDTH, HEIGHT = 680, 430
LEFT, RIGHT, TOP, BOTTOM = 54.0, 664.0, 18.0, 380.0
RADIUS = 10.0  # of a mark with the ring of the Pareto front
TICKS = (0, 20, 40, 60, 80, 100)
STEPS = 5  # color steps for RR
_LINE = 15.0  # height of a label
_CHARACTER, _BOLD = 7.1, 7.8  # widths; labels on the front are bold
_LONGEST_LABEL = 26
Interval = tuple[float, float]  # low and high end
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One model: position and color of its mark, and position of its label (`label` is empty without a free place).

    `across` and `up` are the ends of the 95 % confidence intervals of ASR and utility. `leader` is the end of a line
    from the mark to a distant label.
    """

    name: str
    x: float
    y: float
    across: tuple[float, float]
    up: tuple[float, float]
    step: int | None
    front: bool
    collapsed: bool
    label: str
    text_x: float
    text_y: float
    anchor: str
    leader: tuple[float, float] | None
    said: str


@dataclass(frozen=True, slots=True)
class Pareto:
    """The plot. `left_out` lists the models without one of the rates."""

    spots: tuple[Spot, ...]
    front: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    left_out: tuple[str, ...]


def pareto(models: Mapping[str, ModelResults]) -> Pareto | None:
    """Return the plot of ASR after the attack (before it, if no model was attacked) against utility.

    Both axes go from 0 to 100 %. Collapsed models are not on the front. Returns None if fewer than two models have
    both rates.
    """
    after = attacked(models)
    rates = {name: (model.asr.after if after else model.asr.before, model.utility) for name, model in models.items()}
    at = {
        name: (asr.value, utility.value)
        for name, (asr, utility) in rates.items()
        if asr.value is not None and utility.value is not None
    }
    if len(at) < 2:
        return None
    gone = {name for name in at if collapse(models[name])}
    known = {name: tuple(map(_interval, rates[name])) for name in at}
    best = front(
        {name: place for name, place in at.items() if name not in gone},
        {name: (asr, utility) for name, (asr, utility) in known.items()},
    )
    marks = {name: (_across(x), _up(y)) for name, (x, y) in at.items()}
    lines = [
        box
        for name, (x, y) in marks.items()
        for box in (
            (_across(known[name][0][0]), y - 1, _across(known[name][0][1]), y + 1),
            (x - 1, _up(known[name][1][1]), x + 1, _up(known[name][1][0])),
        )
    ]
    labels = place({name: short(model_name(name), _LONGEST_LABEL) for name in marks}, marks, best, lines)
    spots = []
    for name, (x, y) in marks.items():
        rr = models[name].rr.after if models[name].rr.after.value is not None else models[name].rr.before
        label, text_x, text_y, anchor, leader = labels.get(name, ("", 0.0, 0.0, "start", None))
        asr, utility = at[name]
        said = f"{short(model_name(name), 60)}: ASR {percent(asr)}, utility {percent(utility)}, RR {percent(rr.value)}"
        spots.append(
            Spot(
                name=name,
                x=x,
                y=y,
                across=(_across(known[name][0][0]), _across(known[name][0][1])),
                up=(_up(known[name][1][0]), _up(known[name][1][1])),
                step=None if rr.value is None else min(STEPS - 1, int(rr.value * STEPS)),
                front=name in best,
                collapsed=name in gone,
                label=label,
                text_x=text_x,
                text_y=text_y,
                anchor=anchor,
                leader=leader,
                said=said + (", on the front" if name in best else "") + (", collapsed" if name in gone else ""),
            )
        )
    return Pareto(
        spots=tuple(spots),
        front=" ".join(f"{x},{y}" for x, y in sorted(marks[name] for name in best)),
        x_ticks=tuple((_across(one / 100), str(one)) for one in TICKS),
        y_ticks=tuple((_up(one / 100), str(one)) for one in TICKS),
        left_out=tuple(name for name in models if name not in at),
    )


def attacked(models: Mapping[str, ModelResults]) -> bool:
    """Return whether any model has an ASR after the attack."""
    return any(model.asr.after.value is not None for model in models.values())


def front(
    at: Mapping[str, tuple[float, float]], known: Mapping[str, tuple[Interval, Interval]] | None = None
) -> set[str]:
    """Return the names on the Pareto front.

    A name is not on it if another has x as low, y as high, and one of them better; or if another is clearly better in
    one of them (the intervals do not overlap) and not clearly worse in the other, so that only chance would keep it.

    Args:
        at: x (lower is better) and y (higher is better) by name.
        known: intervals of x and y by name; None compares the values only.
    """

    def beaten(name: str, other: str) -> bool:
        (x, y), (a, b) = at[name], at[other]
        if a <= x and b >= y and (a, b) != (x, y):
            return True
        if known is None:
            return False
        (own_x, own_y), (other_x, other_y) = known[name], known[other]
        better = (other_x[1] < own_x[0], other_y[0] > own_y[1])
        worse = (other_x[0] > own_x[1], other_y[1] < own_y[0])
        return any(better) and not any(worse)

    return {name for name in at if not any(beaten(name, other) for other in at)}


def _interval(rate: Rate) -> Interval:
    assert rate.value is not None
    return (rate.value if rate.low is None else rate.low, rate.value if rate.high is None else rate.high)


def _across(share: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * share, 1)


def _up(share: float) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * share, 1)


Label = tuple[str, float, float, str, tuple[float, float] | None]


def place(
    texts: Mapping[str, str],
    marks: Mapping[str, tuple[float, float]],
    bold: Collection[str] = (),
    lines: Collection[Box] = (),
) -> dict[str, Label]:
    """Return a position for each label where it overlaps no mark, line or other label; without one, it is omitted."""
    taken: list[Box] = [(x - RADIUS - 1, y - RADIUS - 1, x + RADIUS + 1, y + RADIUS + 1) for x, y in marks.values()]
    taken += lines
    found: dict[str, Label] = {}
    for name in sorted(marks, key=lambda one: (marks[one][1], marks[one][0])):
        x, y = marks[name]
        width = text_width(texts[name], bold=name in bold)
        for left, middle, anchor, apart in _candidates(x, y, width):
            box = (left, middle - _LINE / 2, left + width, middle + _LINE / 2)
            if _inside(box) and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                at = {"start": left, "end": left + width, "middle": left + width / 2}[anchor]
                leader = (round(at, 1), round(middle, 1)) if apart else None
                found[name] = (texts[name], round(at, 1), round(middle + 4.5, 1), anchor, leader)
                break
    return found


def text_width(text: str, *, bold: bool = False) -> float:
    """Return the approximate width of a label; East Asian wide characters count double."""
    return 4 + (_BOLD if bold else _CHARACTER) * sum(
        2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )


def _candidates(x: float, y: float, width: float) -> Iterator[tuple[float, float, str, bool]]:
    gap = RADIUS + 3
    yield x + gap, y, "start", False
    yield x - gap - width, y, "end", False
    yield x - width / 2, y - RADIUS - _LINE / 2 - 2, "middle", False
    yield x - width / 2, y + RADIUS + _LINE / 2 + 2, "middle", False
    for step in range(1, int((BOTTOM - TOP) / _LINE)):
        for middle in (y + step * _LINE, y - step * _LINE):
            yield x + 2.5 * gap, middle, "start", True
            yield x - 2.5 * gap - width, middle, "end", True
    # Any free position, nearest first.
    rows, columns = int((BOTTOM - TOP) / _LINE), int((RIGHT - LEFT) / _LINE)
    grid = [(LEFT + 4 + _LINE * column, TOP + _LINE * row) for row in range(rows) for column in range(columns)]
    ends = [(left + (0 if left > x else width), left, middle) for left, middle in grid]
    for end, left, middle in sorted(ends, key=lambda one: (one[0] - x) ** 2 + (one[2] - y) ** 2):
        yield left, middle, "start" if end == left else "end", True


def _inside(box: Box) -> bool:
    return box[0] >= LEFT + 2 and box[1] >= 2 and box[2] <= WIDTH - 2 and box[3] <= BOTTOM - 1


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
