"""Open a file for reading and report progress in bytes."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from unmirage.errors import UserError
from unmirage.run.progress import StepProgress

_BUFFER = 2**20


@contextmanager
def opened(path: Path, progress: StepProgress | None = None) -> Iterator[BinaryIO]:
    """Open a file for reading bytes, as a context manager.

    Args:
        path: a regular file.
        progress: called with (bytes read, bytes in the file) after each MiB and at the end of the file.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file")
    if not path.is_file():
        raise UserError(f"{path}: is not a regular file, but is read more than once; save it to a file first")
    try:
        raw = _Metered(path, progress)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    with io.BufferedReader(raw, _BUFFER) as file:
        yield file


class _Metered(io.FileIO):
    def __init__(self, path: Path, progress: StepProgress | None) -> None:
        super().__init__(path)
        self._progress = progress
        self._total = os.fstat(self.fileno()).st_size
        self._done = 0

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer and report progress."""
        count = super().readinto(buffer)
        # The file may grow while it is read; at its end, report the initial size.
        self._done = min(self._done + count, self._total) if count else self._total
        if self._progress:
            self._progress(self._done, self._total)
        return count
