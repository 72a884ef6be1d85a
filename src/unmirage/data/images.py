"""Open images safely: the only module that does. Neither the path nor the content of a file is trusted."""

from __future__ import annotations

import io
import re
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from unmirage.data.links import Links
from unmirage.data.pixels import as_seen, is_sideways, with_warnings
from unmirage.errors import UserError

_FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 64_000_000
# Four bytes for each pixel of the largest image; no file of these formats needs more.
_MAX_BYTES = 4 * MAX_PIXELS
_REDUCED = 256

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_INLINE = ("/9j/", "iVBORw0KGgo", "UklGR")  # how JPEG, PNG and WebP begin in base64
_LONGEST_NAME = 255
_VALID = "valid: a path below the image folder, such as 'images/1.png'"
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def check_path(relative: str) -> None:
    """Raise an error if a path could leave the image folder. Checks the text only, not the disk."""
    problem = _problem(relative)
    if problem:
        raise UserError(f"image path {relative[:60]!r} {problem}; {_VALID}")


def folder_in(folder: Path, name: str) -> Path:
    """Return the subfolder `name` if it exists, else `folder`."""
    return folder / name if (folder / name).is_dir() else folder


def _problem(relative: str) -> str:
    if not relative.strip():
        return "is empty"
    if not relative.isprintable():
        return "contains control or invisible characters"
    if (relative.startswith(_INLINE) and len(relative) > _LONGEST_NAME) or relative.startswith("data:"):
        return "is the picture itself in base64; save it as a file and name its path"
    if _SCHEME.match(relative):
        return "is a URL or has a drive letter; only local files are read"
    if "\\" in relative:
        return "contains a backslash; write '/' between folders"
    if relative.startswith(("/", "~")):
        return "is absolute"
    return "contains '..'" if ".." in relative.split("/") else ""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """Metadata of an image file.

    Attributes:
        width, height: in pixels, as people see the picture: after the EXIF orientation.
        format: "JPEG", "PNG" or "WEBP", detected from the content.
        has_exif: whether it has EXIF data, as camera images do.
        digest: hash of the file's bytes.
    """

    width: int
    height: int
    format: str
    has_exif: bool
    digest: str


class Pictures(ABC):
    """Images by name, from any storage.

    Args:
        max_pixels: maximum width times height, checked before decoding.
    """

    def __init__(self, max_pixels: int = MAX_PIXELS) -> None:
        self.max_pixels = max_pixels

    @abstractmethod
    def exists(self, relative: str) -> bool:
        """Return whether a file of this name exists, readable or not; never raise."""

    @abstractmethod
    def _file(self, relative: str) -> BinaryIO:
        """Return the image's bytes as an open file; raise `UserError` if it is missing."""

    def open(self, relative: str) -> Image.Image:
        """Return the decoded image as RGB, as people see it: upright and on white (the first frame of an animation)."""
        with self._file(relative) as file, self._opened(file, relative) as image:
            return _loaded(image, relative)

    def content(self, relative: str) -> bytes:
        """Return the bytes of the file without checking that it is an image."""
        with self._file(relative) as file:
            return file.read()

    def check(self, relative: str) -> None:
        """Raise an error if an image is missing, unreadable or too large. Reads the header only."""
        with self._file(relative) as file, self._opened(file, relative):
            pass

    def inspect(self, relative: str) -> tuple[PictureFile, Image.Image]:
        """Return the metadata, and the image of `open` with its longer side reduced to at most 256 pixels."""
        with self._file(relative) as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise UserError(f"image {relative!r} is larger than {_MAX_BYTES:,} bytes; reduce it")
        with self._opened(io.BytesIO(content), relative) as image:
            width, height = image.size
            share = min(1.0, _REDUCED / max(width, height))
            # Decodes a JPEG at a fraction of its size; no effect on other formats.
            image.draft(None, (max(1, round(width * share)), max(1, round(height * share))))
            reduced = _loaded(image, relative)
            if is_sideways(image):
                width, height = height, width
            # Pillow calls a JPEG that contains a second image, as phones write them, MPO.
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
            with with_warnings("error", Image.DecompressionBombWarning):
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
    """The images below one folder.

    Args:
        root: the folder; no path leaves it, and no link except those that `links` allows.
        max_pixels: maximum width times height, checked before decoding.
    """

    def __init__(self, root: Path, max_pixels: int = MAX_PIXELS) -> None:
        super().__init__(max_pixels)
        self.root = root
        self._links = Links(root)

    def exists(self, relative: str) -> bool:
        """Return whether the path is safe and names a file; never raise.

        A link that leaves the folder counts as existing; opening it reports the reason.
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

    def _inside(self, relative: str) -> Path:
        check_path(relative)
        try:
            named = self._links.root / relative
            path = named.resolve()
            there = path.is_file()
            allowed = self._links.allow(relative, path)
        except (OSError, RuntimeError) as error:  # the name is too long, or links form a loop
            raise UserError(f"image {relative[:200]!r} cannot be looked up ({error}); {_VALID}") from None
        if not allowed:
            raise UserError(
                f"image path {relative!r} is a link that leaves the image folder; {_VALID}. "
                "Link the folder of the files instead, or name it with --images"
            )
        if not there and named.is_symlink():
            raise UserError(f"image {relative!r} is a link to {path}, which is not a file; restore it or fix the link")
        if not there:
            raise UserError(f"image {relative!r} is not a file in {self.root}; name the image folder with --images")
        return path


def _loaded(image: Image.Image, relative: str) -> Image.Image:
    try:
        return as_seen(image)
    except _BROKEN as error:
        raise UserError(f"image {relative!r} is damaged or truncated ({error}); replace the file") from error


class WithPlaceholder(Pictures):
    """Images of which missing ones are replaced by one gray picture.

    Args:
        inner: the images.
    """

    def __init__(self, inner: Pictures) -> None:
        super().__init__(inner.max_pixels)
        self._inner = inner

    def exists(self, relative: str) -> bool:  # noqa: ARG002
        """Return True: a missing image is replaced."""
        return True

    def _file(self, relative: str) -> BinaryIO:
        return self._inner._file(relative) if self._inner.exists(relative) else io.BytesIO(_gray_picture())


def _gray_picture() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (32, 32), (127, 127, 127)).save(written, "PNG")
    return written.getvalue()
