"""Callbacks that report the progress of a long computation to its caller."""

from __future__ import annotations

from collections.abc import Callable

# Called with (steps done, total steps) of one stage. One with a method `note(text)` also shows a text.
StepProgress = Callable[[int, int], None]
# Called with (stage, steps done, total steps). A stage may repeat. One with a method `note(stage, text)` also shows a
# text beside the numbers of a stage.
Progress = Callable[[str, int, int], None]


class _Stage:
    """Reports the steps of one stage."""

    def __init__(self, progress: Progress, stage: str) -> None:
        self._progress, self._stage = progress, stage

    def __call__(self, done: int, total: int) -> None:
        self._progress(self._stage, done, total)

    def note(self, text: str) -> None:
        note(self._progress, self._stage, text)


class _Named:
    """Reports stages under other names."""

    def __init__(self, progress: Progress, named: Callable[[str], str]) -> None:
        self._progress, self._named = progress, named

    def __call__(self, stage: str, done: int, total: int) -> None:
        self._progress(self._named(stage), done, total)

    def note(self, stage: str, text: str) -> None:
        note(self._progress, self._named(stage), text)


def in_stage(progress: Progress | None, stage: str) -> StepProgress | None:
    """Return the callback for the steps of one stage, or None without `progress`."""
    return None if progress is None else _Stage(progress, stage)


def prefixed(progress: Progress, name: str) -> Progress:
    """Return the callback whose stages are called "name: stage"."""
    return _Named(progress, lambda stage: f"{name}: {stage}")


def followed(progress: Progress, name: str) -> Progress:
    """Return the callback whose stages are called "stage name"."""
    return _Named(progress, lambda stage: f"{stage} {name}")


def note(progress: Progress | None, stage: str, text: str) -> None:
    """Show a text such as the loss beside the numbers of a stage, if the callback can."""
    if (show := getattr(progress, "note", None)) is not None:
        show(stage, text)


def shows_notes(progress: StepProgress | Progress | None) -> bool:
    """Return whether a callback can show texts, so that they are computed only if somebody sees them."""
    if isinstance(progress, _Stage | _Named):
        return shows_notes(progress._progress)
    return hasattr(progress, "note")
