"""The work directory of a run: reference caches, checkpoints and the loss log."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from unmirage.run.files import sync_folder, write_text_atomic


class Checkpoints:
    """The checkpoints of one run in one folder. A checkpoint gets its final name when it is completely on disk."""

    def __init__(self, folder: Path, keep_last: int) -> None:
        self.folder = folder
        self.staging = folder / ".writing"  # of a checkpoint that is being written
        self._keep_last = keep_last
        self.kept: int | None = None  # a step whose checkpoint stays, besides the last ones

    def steps(self) -> list[int]:
        """Return the steps of all complete checkpoints, ascending."""
        return sorted(int(path.name.removeprefix("step-")) for path in self.folder.glob("step-*"))

    def path(self, step: int) -> Path:
        """Return the path of a step's checkpoint."""
        return self.folder / f"step-{step}"

    def latest(self) -> Path | None:
        """Return the newest complete checkpoint."""
        steps = self.steps()
        return self.path(steps[-1]) if steps else None

    def clear_incomplete(self) -> list[str]:
        """Remove incomplete checkpoints of a crashed process; return their names."""
        found = [path.name for path in self.staging.glob("*")]
        shutil.rmtree(self.staging, ignore_errors=True)
        return found

    def settle(self, written: Path, step: int) -> None:
        """Rename a complete checkpoint to its final name, and remove surplus ones."""
        sync_folder(written)
        shutil.rmtree(self.path(step), ignore_errors=True)
        written.replace(self.path(step))
        for old in self.steps()[: -self._keep_last]:
            if old != self.kept:
                shutil.rmtree(self.path(old))

    def clear(self) -> None:
        """Remove all checkpoints."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Work:
    """The files of one run's work directory."""

    def __init__(self, folder: Path, keep_last: int) -> None:
        self.caches = folder / "caches"
        self.checkpoints = Checkpoints(folder / "checkpoints", keep_last)
        self.scratch = folder / "trainer"
        self.log = folder / "log.jsonl"
        self._watched = folder / "relevance.json"
        self._checks = folder / "evaluation.json"

    def clear_incomplete(self) -> tuple[str, ...]:
        """Remove incomplete files of a crashed process; return their names."""
        torn = sorted(self.caches.glob(".*.tmp"))
        for path in torn:
            path.unlink()
        return (*self.checkpoints.clear_incomplete(), *(path.name for path in torn))

    def clear_abandoned(self) -> bool:
        """Remove the files of a run that has neither a checkpoint nor a logged step, so that others can use it.

        Files that are not ours stay. Returns whether it had neither; otherwise, nothing is removed.
        """
        if self.checkpoints.steps() or self.steps():
            return False
        for folder in (self.caches, self.checkpoints.folder, self.scratch):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (self.log, self._watched, self._checks):
            file.unlink(missing_ok=True)
        return True

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

    def forget_unsaved(self) -> None:
        """Remove the log of a run without a checkpoint, which would start again: nothing of it can be resumed."""
        if not self.checkpoints.steps():
            self.log.unlink(missing_ok=True)

    def watched(self) -> dict[int, float]:
        """Return the measurements of the watch by step."""
        if not self._watched.is_file():
            return {}
        return {int(step): value for step, value in json.loads(self._watched.read_text(encoding="utf-8")).items()}

    def record_watched(self, watched: Mapping[int, float]) -> None:
        """Write the measurements of the watch."""
        write_text_atomic(self._watched, json.dumps(dict(watched)) + "\n")

    def checks(self) -> dict[int, dict[str, float]]:
        """Return the measurements on held-out data by step."""
        if not self._checks.is_file():
            return {}
        return {int(step): one for step, one in json.loads(self._checks.read_text(encoding="utf-8")).items()}

    def record_checks(self, checks: Mapping[int, Mapping[str, float]]) -> None:
        """Write the measurements on held-out data."""
        write_text_atomic(self._checks, json.dumps(dict(checks)) + "\n")

    def keep_steps(self, steps: int) -> None:
        """Delete the log after `steps` steps, which will be repeated."""
        kept = enumerate(self.steps()[:steps], start=1)
        write_text_atomic(self.log, "".join(_line(step, parts) for step, parts in kept))


def _line(step: int, parts: dict[str, float]) -> str:
    return json.dumps({"step": step, "loss": sum(parts.values()), "parts": parts}) + "\n"
