"""Open a data file for reading, unpack it if it is compressed, and report progress in bytes."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from unmirage.data.packed import unpacked
from unmirage.errors import UserError
from unmirage.run.paths import no_such
from unmirage.run.progress import StepProgress

_BUFFER = 2**20


@contextmanager
def opened(path: Path, progress: StepProgress | None = None) -> Iterator[BinaryIO]:
    """Open a file for reading its unpacked bytes, as a context manager.

    Args:
        path: a regular file, possibly compressed with gzip or Zstandard.
        progress: called with (bytes read, bytes in the file), both as on disk, after each MiB and at the end of the
            file.
    """
    if not path.exists():
        raise no_such("file", path, _on_hub(path))
    if not path.is_file():
        raise UserError(f"{path}: is not a regular file, but is read more than once; save it to a file first")
    try:
        raw = _Metered(path, progress)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    with io.BufferedReader(raw, _BUFFER) as file, unpacked(file, path, lambda: raw.done) as text:
        yield text


def _on_hub(path: Path) -> str:
    """Return how to name a dataset of the hub, if a path looks like its id."""
    looks_so = len(path.parts) == 2 and not path.parent.exists() and not path.is_absolute()
    return f"for a dataset of the hub, write hf:{path}" if looks_so else ""


class _Metered(io.FileIO):
    """A file that reports progress. `done` is the number of bytes read."""

    def __init__(self, path: Path, progress: StepProgress | None) -> None:
        super().__init__(path)
        self._progress = progress
        self._total = os.fstat(self.fileno()).st_size
        self.done = 0

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer and report progress."""
        count = super().readinto(buffer)
        # The file may grow while it is read; at its end, report the initial size.
        self.done = min(self.done + count, self._total) if count else self._total
        if self._progress:
            self._progress(self.done, self._total)
        return count
