"""The pictures of several data files together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO

from unmirage.data.images import ImageFolder, Pictures
from unmirage.errors import UserError
from unmirage.records import Sample, moved


class SeveralPictures(Pictures):
    """The images of several files.

    Args:
        parts: the images of each file. A name starts with the number of its file: "0/images/1.png".
    """

    def __init__(self, parts: Sequence[Pictures]) -> None:
        super().__init__()
        self._parts = parts

    def exists(self, relative: str) -> bool:
        """Return whether the image exists in its file; never raise."""
        found = self._found(relative)
        return found is not None and found[0].exists(found[1])

    def _file(self, relative: str) -> BinaryIO:
        found = self._found(relative)
        if found is None:
            last = len(self._parts) - 1
            raise UserError(f"image {relative[:200]!r} does not name its data file; valid: 0/NAME to {last}/NAME")
        return found[0]._file(found[1])

    def _found(self, relative: str) -> tuple[Pictures, str] | None:
        number, _, name = relative.partition("/")
        known = number.isascii() and number.isdigit() and int(number) < len(self._parts)
        return (self._parts[int(number)], name) if known else None


def together(files: Sequence[tuple[Iterable[Sample], Pictures]]) -> tuple[list[list[Sample]], Pictures]:
    """Return the samples of each file, and the images of all files.

    Names of images stay as they are if all files have one image folder. Otherwise, they start with the number of the
    file.
    """
    lists, pictures = [list(samples) for samples, _ in files], [one for _, one in files]
    folders = {one.root.resolve() if isinstance(one, ImageFolder) else None for one in pictures}
    if len(folders) == 1 and None not in folders:
        return lists, pictures[0]
    return [_numbered(number, samples) for number, samples in enumerate(lists)], SeveralPictures(pictures)


def _numbered(number: int, samples: Iterable[Sample]) -> list[Sample]:
    return [moved(sample, lambda path: f"{number}/{path}") for sample in samples]
