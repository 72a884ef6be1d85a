"""The pictures of several files as one: each name begins with its file's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

from unmirage.data.images import Pictures


class JoinedPictures(Pictures):
    """Pictures of several files.

    Args:
        parts: the pictures of each file, by what stands before their names and a slash.
        rest: where all other names are looked for, to be found or refused.
    """

    def __init__(self, parts: Mapping[str, Pictures], rest: Pictures) -> None:
        super().__init__()
        self._parts = parts
        self._rest = rest

    def exists(self, relative: str) -> bool:
        """Return whether one of the files has a picture of this name; never an exception."""
        pictures, name = self._part(relative)
        return pictures.exists(name)

    def _file(self, relative: str) -> BinaryIO:
        pictures, name = self._part(relative)
        return pictures._file(name)

    def _part(self, relative: str) -> tuple[Pictures, str]:
        for start, pictures in self._parts.items():
            if relative.startswith(f"{start}/"):
                return pictures, relative.removeprefix(f"{start}/")
        return self._rest, relative
