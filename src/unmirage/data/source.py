"""What data is read from: an object that gives its records as rows, from the first on, as often as asked."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Protocol

from unmirage.data.images import Pictures
from unmirage.data.rows import Row
from unmirage.errors import UserError
from unmirage.run.progress import StepProgress

# Told of each record that cannot be read: raises the error, or notes it, and then reading goes on.
Bad = Callable[[UserError], None]


class Source(Protocol):
    """A file, a folder or a data set on the hub.

    Attributes:
        path: where it is, as the user wrote it.
        container: how it holds its records; a flat table is named after it.
        root: the folder that its pictures are looked for in, unless the user names one.
    """

    @property
    def path(self) -> Path: ...  # noqa: D102

    @property
    def container(self) -> str: ...  # noqa: D102

    @property
    def root(self) -> Path: ...  # noqa: D102

    def rows(self, bad: Bad, progress: StepProgress | None = None) -> Generator[Row, None, None]:
        """Yield the records from the first on; what cannot be read is given to `bad`."""

    def pictures(self, root: Path) -> Pictures:
        """Return the pictures that the rows name, those of files below `root`."""


def strict(error: UserError) -> None:
    """Raise the first error."""
    raise error
