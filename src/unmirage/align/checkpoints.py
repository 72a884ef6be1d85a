"""Checkpoints that are there whole or not at all, of which the last few are kept."""

from __future__ import annotations

import shutil
from pathlib import Path

from unmirage.run.files import sync_folder

_WRITING = ".writing"


class Checkpoints:
    """The checkpoints of one run, in one folder. A checkpoint gets its name once all of it is on disk."""

    def __init__(self, folder: Path, keep_last: int) -> None:
        self.folder = folder
        self._keep_last = keep_last

    @property
    def staging(self) -> Path:
        """Return the folder in which a checkpoint is written before it gets its name."""
        return self.folder / _WRITING

    def steps(self) -> list[int]:
        """Return the steps of all complete checkpoints, ascending."""
        return sorted(int(path.name.removeprefix("step-")) for path in self.folder.glob("step-*"))

    def path(self, step: int) -> Path:
        """Return where the checkpoint of a step is."""
        return self.folder / f"step-{step}"

    def latest(self) -> Path | None:
        """Return the newest complete checkpoint."""
        steps = self.steps()
        return self.path(steps[-1]) if steps else None

    def clear_incomplete(self) -> list[str]:
        """Remove what a process left behind that died while it wrote; return the names."""
        found = [path.name for path in self.staging.glob("*")]
        shutil.rmtree(self.staging, ignore_errors=True)
        return found

    def settle(self, written: Path, step: int) -> None:
        """Give a checkpoint that is written its name, and remove those that are too many."""
        sync_folder(written)
        shutil.rmtree(self.path(step), ignore_errors=True)
        written.replace(self.path(step))
        for old in self.steps()[: -self._keep_last]:
            shutil.rmtree(self.path(old))

    def clear(self) -> None:
        """Remove all of them."""
        shutil.rmtree(self.folder, ignore_errors=True)
