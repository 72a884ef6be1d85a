"""The interface of everything that records are read from: files, folders and hub datasets."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Protocol

from unmirage.data.images import Pictures
from unmirage.data.rows import Row
from unmirage.errors import UserError
from unmirage.run.progress import StepProgress

# Called with the error of each unreadable record; raises it, or records it to continue reading.
Bad = Callable[[UserError], None]


class Source(Protocol):
    """A file, a folder or a dataset on the hub.

    Attributes:
        path: location, as given by the user.
        container: "json", "jsonl", "csv" or "parquet"; the format name of a flat table.
        root: default folder of the images.
    """

    @property
    def path(self) -> Path: ...  # noqa: D102

    @property
    def container(self) -> str: ...  # noqa: D102

    @property
    def root(self) -> Path: ...  # noqa: D102

    def rows(self, bad: Bad, progress: StepProgress | None = None) -> Generator[Row, None, None]:
        """Yield all records in order; call `bad` with the error of each unreadable one."""

    def pictures(self, root: Path) -> Pictures:
        """Return the images of the records; image files are read below `root`."""


def strict(error: UserError) -> None:
    """Raise the error."""
    raise error
