"""Geometry of the forest plot of findings, in percent of its width. `templates/forest.html.j2` draws it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unmirage.records import Finding, LogOdds
from unmirage.report.audit_findings import says

SHOWN = 20
_FARTHEST = 12.0  # larger log odds are drawn at the edge
_EDGE = 2.0  # margin, so that dots are not cut off
_TICKS = 7
_STEPS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Whisker:
    """An estimate and its confidence interval on the plot."""

    x: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One finding, alone and given the opener."""

    finding: Finding
    says: str
    alone: Whisker
    given: Whisker | None


@dataclass(frozen=True, slots=True)
class Forest:
    """The rows, ordered from refusal to answer, and the axis ticks at whole numbers."""

    rows: tuple[ForestRow, ...]
    ticks: tuple[tuple[float, str], ...]
    zero: float


def forest(findings: Iterable[Finding]) -> Forest | None:
    """Return the plot of findings that are tied to a label and redundant with no other; None if there are none.

    The headline comes first, then the strongest findings that add something beyond the opener. Documents without a
    headline show their strongest findings.

    Args:
        findings: ordered from the strongest.
    """
    tied = [one for one in findings if one.redundant_with is None and one.direction != "none"]
    headline = [one for one in tied if one.headline]
    if headline:
        tied = headline + [one for one in tied if not one.headline and _tells_more(one.given_opener)]
    shown = sorted(tied[:SHOWN], key=lambda one: -one.log_odds)
    if not shown:
        return None
    scale = _Scale.over([one for own in shown for one in (own.tie, own.given_opener) if one])
    rows = (
        ForestRow(one, says(one), scale.whisker(one.tie), scale.whisker(one.given_opener) if one.given_opener else None)
        for one in shown
    )
    return Forest(tuple(rows), scale.ticks(), scale.at(0))


def _tells_more(given_opener: LogOdds | None) -> bool:
    """Return whether the association remains among queries with the same opener."""
    return given_opener is not None and (given_opener.low > 0 or given_opener.high < 0)


@dataclass(frozen=True, slots=True)
class _Scale:
    low: int
    high: int

    @classmethod
    def over(cls, effects: Sequence[LogOdds]) -> _Scale:
        """Return the scale that includes 0 and all intervals."""
        low = max(-_FARTHEST, min(one.low for one in effects))
        high = min(_FARTHEST, max(one.high for one in effects))
        return cls(min(-1, math.floor(low)), max(1, math.ceil(high)))

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(_EDGE + (100 - 2 * _EDGE) * min(1.0, max(0.0, share)), 2)

    def whisker(self, effect: LogOdds) -> Whisker:
        return Whisker(self.at(effect.log_odds), self.at(effect.low), self.at(effect.high))

    def ticks(self) -> tuple[tuple[float, str], ...]:
        step = next((one for one in _STEPS if (self.high - self.low) / one < _TICKS), _STEPS[-1])
        first = -(-self.low // step) * step
        return tuple((self.at(number), _named(number)) for number in range(first, self.high + 1, step))


def _named(number: int) -> str:
    return f"{number:+d}".replace("-", "\u2212") if number else "0"
