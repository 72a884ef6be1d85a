"""Write checkpoints atomically and keep the last few."""

from __future__ import annotations

import shutil
from pathlib import Path

from unmirage.run.files import sync_folder

_WRITING = ".writing"


class Checkpoints:
    """The checkpoints of one run in one folder. A checkpoint gets its final name when it is completely on disk."""

    def __init__(self, folder: Path, keep_last: int) -> None:
        self.folder = folder
        self._keep_last = keep_last

    @property
    def staging(self) -> Path:
        """Return the folder of a checkpoint that is being written."""
        return self.folder / _WRITING

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
            shutil.rmtree(self.path(old))

    def clear(self) -> None:
        """Remove all checkpoints."""
        shutil.rmtree(self.folder, ignore_errors=True)
