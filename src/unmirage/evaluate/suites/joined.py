"""Combine the images of several files, with the file as a prefix of each image name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

from unmirage.data.images import Pictures


class JoinedPictures(Pictures):
    """Images of several files.

    Args:
        parts: name prefix (without the slash) -> images of that file.
        rest: images that handle all other names.
    """

    def __init__(self, parts: Mapping[str, Pictures], rest: Pictures) -> None:
        super().__init__()
        self._parts = parts
        self._rest = rest

    def exists(self, relative: str) -> bool:
        """Return whether one of the files has an image of this name. Never raises."""
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
