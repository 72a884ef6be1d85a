"""Show progress on stderr: one bar per stage with the remaining time, or one line per stage without a terminal."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from unmirage.cli.console import err


class StageProgress:
    """Shows one progress bar per stage; a stage starts with its first report. Use as a context manager.

    Args:
        lines: print one line per stage if there is no terminal; quick commands set it to False.
    """

    def __init__(self, *, lines: bool = True) -> None:
        self._lines = lines and not err.is_terminal
        self._progress = Progress(
            TextColumn("{task.description:<28}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:>5.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=err,
            disable=not err.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, float] = {}

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
            self._tasks[stage] = self._progress.add_task(stage, total=total)
        started = self._started.setdefault(stage, time.perf_counter())
        self._progress.update(self._tasks[stage], completed=done)
        if done == total:
            # A stage may repeat, such as reading a file.
            del self._started[stage]
            if self._lines:
                err.print(f"{stage}: {total} steps in {time.perf_counter() - started:.0f} s", markup=False)
