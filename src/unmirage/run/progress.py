"""Callbacks that report the progress of a long computation to its caller."""

from __future__ import annotations

from collections.abc import Callable

# Called with (steps done, total steps) of one stage.
StepProgress = Callable[[int, int], None]
# Called with (stage, steps done, total steps). A stage may repeat.
Progress = Callable[[str, int, int], None]


def in_stage(progress: Progress | None, stage: str) -> StepProgress | None:
    """Return the callback for the steps of one stage, or None without `progress`."""
    return None if progress is None else lambda done, total: progress(stage, done, total)


def prefixed(progress: Progress, name: str) -> Progress:
    """Return the callback whose stages are called "name: stage"."""
    return lambda stage, done, total: progress(f"{name}: {stage}", done, total)
