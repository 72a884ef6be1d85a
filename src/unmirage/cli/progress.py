"""Show progress on stderr: a bar per stage on a terminal, else a line per stage every 30 seconds and at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from rich.console import RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from unmirage.cli.console import err

EVERY = 30.0  # seconds between two lines of a stage without a terminal
# A batch of responses is reported one by one in an instant; a rate that began within it would be far too high.
_FIRST = 1.0
# What a stage counts, by a word at the beginning or the end of its name.
_UNITS = {
    "ask": "queries",
    "attack": "queries",
    "explaining": "queries",
    "judge": "responses",
    "caching": "rows",
    "align": "steps",
    "see": "steps",
    "tower": "steps",
    "pictures": "images",
    "images": "images",
    "probes": "probes",
    "logs": "samples",
}


def unit_of(stage: str) -> str:
    """Return what a stage counts, such as "queries" for "world 1: npo: ask"; "" for a stage that is not known."""
    words = stage.rpartition(": ")[2].split(" ")
    return _UNITS.get(words[0]) or _UNITS.get(words[-1], "")


def duration(seconds: float) -> str:
    """Return a duration, such as "45 s", "12 min" or "3 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def rate_text(rate: float) -> str:
    """Return a rate per second with three digits; below 0.1 per second, the rate per hour."""
    if rate < 0.1:
        return f"{rate * 3600:.3g}/h"
    return f"{rate:.3g}/s" if rate < 100 else f"{rate:,.0f}/s"


@dataclass(slots=True)
class _Stage:
    """What is known of a running stage.

    Attributes:
        started: when the stage began.
        since, base: when and with what number the rate begins; see `_FIRST`.
        last, before: when the last report came, and its number.
        told: when its last line was printed.
        lines: whether it has any line.
    """

    started: float
    since: float
    base: int
    last: float
    before: int
    told: float
    lines: bool = False

    def rate(self, done: int, now: float) -> float:
        """Return how much is done per second; 0 if nothing was done since the rate began.

        It ends at the report before, because this one may be the first of a batch, whose others come in an instant.
        """
        until, number = (self.last, self.before) if self.last > self.since else (now, done)
        return (number - self.base) / (until - self.since) if until > self.since else 0.0


class StageProgress:
    """Shows the progress of each stage; a stage starts with its first report. Use as a context manager.

    Args:
        lines: without a terminal, print a line at the end of each stage too, however short it was; quick commands set
            it to False.
        clock: returns the time in seconds.
    """

    def __init__(self, *, lines: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self._lines, self._clock = lines, clock
        self._notes: dict[str, str] = {}
        self._progress = _Bars(
            self._notes,
            TextColumn("{task.description:<24}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.completed:>5.0f}/{task.total:.0f} {task.fields[unit]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=err,
            disable=not err.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._stages: dict[str, _Stage] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report that `done` of `total` steps of a stage are done."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total, unit=unit_of(stage))
        self._progress.update(self._tasks[stage], completed=done, total=total)
        now = self._clock()
        own = self._stages.setdefault(stage, _Stage(now, now, done, now, done, now))
        if now - own.started < _FIRST:
            own.since, own.base = now, done
        if done == total:
            if not err.is_terminal and (self._lines or own.lines):
                self._say(stage, f"{total:,}{_spaced(unit_of(stage))} in {duration(now - own.started)}")
            del self._stages[stage]  # a stage may repeat, such as reading a file
            self._notes.pop(stage, None)
        elif not err.is_terminal and now - own.told >= EVERY:
            own.told, own.lines = now, True
            self._say(stage, _numbers(done, total, unit_of(stage), own.rate(done, now)))

        own.last, own.before = now, done

    def note(self, stage: str, text: str) -> None:
        """Show a text beside the numbers of a stage from its next line on."""
        self._notes[stage] = text

    def _say(self, stage: str, numbers: str) -> None:
        text = self._notes.get(stage)
        err.print(f"{stage}: {numbers}" + (f"; {text}" if text else ""), markup=False, soft_wrap=True)


class _Bars(Progress):
    """Progress bars, with the notes of the running stages below."""

    def __init__(self, notes: Mapping[str, str], *columns: ProgressColumn, **options: Any) -> None:
        self._notes = notes  # first, because the base class draws at once
        super().__init__(*columns, **options)

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        for stage, text in list(self._notes.items()):
            yield Text(f"{stage}: {text}", style="dim", overflow="ellipsis", no_wrap=True)


def _spaced(unit: str) -> str:
    return f" {unit}" if unit else ""


def _numbers(done: int, total: int, unit: str, rate: float) -> str:
    """Return "320/1,200 queries (27 %), 2.67/s, 5 min left"; without rate if nothing was done yet."""
    share = f" ({100 * done / total:.0f} %)" if total else ""
    numbers = f"{done:,}/{total:,}{_spaced(unit)}{share}"
    return f"{numbers}, {rate_text(rate)}, {duration((total - done) / rate)} left" if rate > 0 else numbers
