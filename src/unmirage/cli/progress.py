"""Live progress on stderr: one bar a stage, with the time it took or still needs."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from unmirage.cli.console import err


class StageProgress:
    """Shows stages one below the other; a stage starts when it is first reported. Use as a context manager.

    Args:
        prefix: printed before each stage, such as the seed; may be changed between stages.
        quiet: show nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.prefix = ""
        self._progress = Progress(
            TextColumn("{task.description:<34}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:>5.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=err,
            disable=quiet,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report that `done` of `total` steps of a stage are done; (0, 0) merely announces it."""
        name = self.prefix + stage
        if total == 0:
            return
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._tasks[name], completed=done, total=total)
