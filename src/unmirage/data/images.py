"""Paths of pictures in, RGB pictures out. Nothing else opens pictures; path and content are not trusted."""

from __future__ import annotations

import io
import re
import struct
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from unmirage.errors import UserError

_FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 64_000_000
# The pixels of the largest picture, four bytes each: no picture of these formats needs more.
_MAX_BYTES = 4 * MAX_PIXELS
_REDUCED = 256

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_VALID = "valid: a path below the image folder, such as 'images/1.png'"
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def check_path(relative: str) -> None:
    """Refuse a path that could lead out of the image folder. Looks at the text alone, not at the disk."""
    problem = _problem(relative)
    if problem:
        raise UserError(f"image path {relative[:200]!r} {problem}; {_VALID}")


def folder_in(folder: Path, name: str) -> Path:
    """Return the folder of that name in this one if it is there, else this one."""
    return folder / name if (folder / name).is_dir() else folder


def _problem(relative: str) -> str:
    if not relative.strip():
        return "is empty"
    if not relative.isprintable():
        return "holds control or invisible characters"
    if _SCHEME.match(relative):
        return "is a URL or names a drive, and nothing is fetched"
    if "\\" in relative:
        return "holds a backslash; write '/' between folders"
    if relative.startswith(("/", "~")):
        return "is absolute"
    return "leads upwards ('..')" if ".." in relative.split("/") else ""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """What a picture's file says about it.

    Attributes:
        width, height: in pixels, as stored.
        format: "JPEG", "PNG" or "WEBP", by content.
        has_exif: does it carry EXIF data, as pictures from cameras do?
        digest: of the file's bytes; equal for equal files.
    """

    width: int
    height: int
    format: str
    has_exif: bool
    digest: str


class Pictures(ABC):
    """Pictures by name, wherever they come from.

    Args:
        max_pixels: width times height that a picture may have at most; checked before it is decoded.
    """

    def __init__(self, max_pixels: int = MAX_PIXELS) -> None:
        self.max_pixels = max_pixels

    @abstractmethod
    def exists(self, relative: str) -> bool:
        """Return whether there is a file of this name, though it may be refused; never an exception."""

    @abstractmethod
    def _file(self, relative: str) -> BinaryIO:
        """Return the picture's bytes as an open file; a `UserError` where there are none."""

    def open(self, relative: str) -> Image.Image:
        """Return the picture, fully loaded, as RGB (the first frame of an animation)."""
        with self._file(relative) as file, self._opened(file, relative) as image:
            return _loaded(image, relative)

    def content(self, relative: str) -> bytes:
        """Return the picture's file as it is. Whether it is a picture is for `open` or `check` to say."""
        with self._file(relative) as file:
            return file.read()

    def check(self, relative: str) -> None:
        """Refuse a picture that is missing, of another format, or too large. Reads its header only."""
        with self._file(relative) as file, self._opened(file, relative):
            pass

    def inspect(self, relative: str) -> tuple[PictureFile, Image.Image]:
        """Return what the file says, and the picture as RGB with its longer side reduced to at most 256 pixels."""
        with self._file(relative) as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise UserError(f"image {relative!r} has too many bytes; valid: up to {_MAX_BYTES:,}")
        with self._opened(io.BytesIO(content), relative) as image:
            width, height = image.size
            share = min(1.0, _REDUCED / max(width, height))
            # Lets a JPEG be decoded at a fraction of its size; other formats take no notice.
            image.draft(None, (max(1, round(width * share)), max(1, round(height * share))))
            reduced = _loaded(image, relative)
            # Pillow calls a JPEG by another name where a telephone has put a second one behind it.
            found = PictureFile(
                width=width,
                height=height,
                format="JPEG" if image.format == "MPO" else str(image.format),
                has_exif="exif" in image.info or "Raw profile type exif" in image.info,
                digest=blake2b(content, digest_size=8).hexdigest(),
            )
        reduced.thumbnail((_REDUCED, _REDUCED))
        return found, reduced

    @contextmanager
    def _opened(self, file: BinaryIO, relative: str) -> Iterator[Image.Image]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                image = Image.open(file, formats=_FORMATS)
        except _BOMB:
            raise self._too_large(relative) from None
        except _BROKEN as error:
            raise UserError(
                f"image {relative!r} is not a readable picture; valid: {', '.join(_FORMATS)} by content"
            ) from error
        with image:
            if image.width * image.height > self.max_pixels:
                raise self._too_large(relative)
            yield image

    def _too_large(self, relative: str) -> UserError:
        return UserError(f"image {relative!r} has too many pixels; valid: up to {self.max_pixels:,}")


class ImageFolder(Pictures):
    """The pictures below one folder.

    Args:
        root: the folder; nothing outside it is ever opened, whatever a path or a link says.
        max_pixels: width times height that a picture may have at most; checked before it is decoded.
    """

    def __init__(self, root: Path, max_pixels: int = MAX_PIXELS) -> None:
        super().__init__(max_pixels)
        self.root = root

    def exists(self, relative: str) -> bool:
        """Return whether the path is safe and names a file; never an exception.

        A link that leads out of the folder is there too: opening it says why it is refused.
        """
        try:
            check_path(relative)
            return (self.root / relative).is_file()
        except (UserError, OSError, RuntimeError):
            return False

    def _file(self, relative: str) -> BinaryIO:
        path = self._inside(relative)
        try:
            return path.open("rb")
        except OSError as error:
            raise UserError(f"image {relative!r} cannot be read ({error.strerror})") from None

    @cached_property
    def _real_root(self) -> Path:
        return self.root.resolve()

    def _inside(self, relative: str) -> Path:
        check_path(relative)
        try:
            path = (self._real_root / relative).resolve()
            there = path.is_file()
        except (OSError, RuntimeError) as error:  # a name that is too long, a loop of links
            raise UserError(f"image {relative[:200]!r} cannot be looked up ({error}); {_VALID}") from None
        if not path.is_relative_to(self._real_root):
            raise UserError(f"image path {relative!r} is a link that leaves the image folder; {_VALID}")
        if not there:
            raise UserError(f"image {relative!r} is not a file in {self.root}; name the image folder with --images")
        return path


def _loaded(image: Image.Image, relative: str) -> Image.Image:
    try:
        image.load()
        return _to_rgb(image)
    except _BROKEN as error:
        raise UserError(f"image {relative!r} is broken or cut short ({error}); replace the file") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    # Pillow warns when a palette with transparency loses it in one step.
    return image.convert("RGBA").convert("RGB") if "transparency" in image.info else image.convert("RGB")
