"""The work directory of a run: caches, checkpoints and the loss log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from unmirage.align.checkpoints import Checkpoints
from unmirage.run.files import write_text_atomic


class Work:
    """The files of one run's work directory."""

    def __init__(self, folder: Path, keep_last: int) -> None:
        self.caches = folder / "caches"
        self.checkpoints = Checkpoints(folder / "checkpoints", keep_last)
        self.scratch = folder / "trainer"
        self.log = folder / "log.jsonl"

    def clear_incomplete(self) -> tuple[str, ...]:
        """Remove incomplete files of a crashed process; return their names."""
        torn = sorted(self.caches.glob(".*.tmp"))
        for path in torn:
            path.unlink()
        return (*self.checkpoints.clear_incomplete(), *(path.name for path in torn))

    def steps(self) -> list[dict[str, float]]:
        """Return the logged loss parts of all steps; an incomplete last line is ignored."""
        if not self.log.is_file():
            return []
        lines = self.log.read_text(encoding="utf-8").split("\n")
        return [json.loads(line)["parts"] for line in lines[:-1]]

    def record(self, step: int, parts: dict[str, float]) -> None:
        """Log a step."""
        with self.log.open("a", encoding="utf-8") as file:
            file.write(_line(step, parts))

    def keep_steps(self, steps: int) -> list[dict[str, float]]:
        """Delete the log after `steps` steps, which will be repeated; return the rest."""
        kept = self.steps()[:steps]
        write_text_atomic(self.log, "".join(_lines(kept)))
        return kept


def _lines(parts: Iterable[dict[str, float]]) -> Iterable[str]:
    return (_line(step, one) for step, one in enumerate(parts, start=1))


def _line(step: int, parts: dict[str, float]) -> str:
    return json.dumps({"step": step, "loss": sum(parts.values()), "parts": parts}) + "\n"
