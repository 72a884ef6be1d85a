"""The bytes of a file in, its lines as text out; a line that is no UTF-8 is noted, and reading goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from unmirage.errors import UserError

BOM = b"\xef\xbb\xbf"


def not_utf8(position: int) -> str:
    """Return what is wrong where a byte of a file, counted from 0, belongs to no character."""
    return f"byte {position} is not UTF-8; save the file as UTF-8 text"


class Lines:
    """The lines of a file, each with its line break.

    Attributes:
        problem: what is wrong with the line that was given last, if it was not UTF-8.
    """

    def __init__(self, file: BinaryIO, source: str) -> None:
        self.problem: UserError | None = None
        self._file = file
        self._source = source

    def __iter__(self) -> Iterator[str]:
        # Only "\n" ends a line: JSON and CSV may hold the other separators that Python knows.
        start = 0
        for line in self._file:
            if not start and line.startswith(BOM):
                start, line = len(BOM), line[len(BOM) :]
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                self.problem = UserError(f"{self._source}: {not_utf8(start + error.start)}")
                yield line.decode(errors="replace")
            start += len(line)

    def take_problem(self) -> UserError:
        """Return `problem`, and forget it."""
        problem, self.problem = self.problem, None
        assert problem is not None
        return problem
