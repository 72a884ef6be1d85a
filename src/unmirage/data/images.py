"""Paths of pictures in, RGB pictures out. Nothing else opens pictures; path and content are not trusted."""

from __future__ import annotations

import re
import struct
import warnings
from pathlib import Path

from PIL import Image

from unmirage.errors import UserError

_FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 64_000_000

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_VALID = "valid: a path below the image folder, such as 'images/1.png'"
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def check_path(relative: str) -> None:
    """Refuse a path that could lead out of the image folder. Looks at the text alone, not at the disk."""
    problem = _problem(relative)
    if problem:
        raise UserError(f"image path {relative[:200]!r} {problem}; {_VALID}")


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


class ImageFolder:
    """The pictures below one folder.

    Args:
        root: the folder; nothing outside it is ever opened, whatever a path or a link says.
        max_pixels: width times height that a picture may have at most; checked before it is decoded.
    """

    def __init__(self, root: Path, max_pixels: int = MAX_PIXELS) -> None:
        self.root = root
        self.max_pixels = max_pixels

    def open(self, relative: str) -> Image.Image:
        """Return the picture, fully loaded, as RGB (the first frame of an animation)."""
        with self._opened(relative) as image:
            try:
                image.load()
                return _to_rgb(image)
            except _BROKEN as error:
                raise UserError(f"image {relative!r} is broken or cut short ({error}); replace the file") from error

    def check(self, relative: str) -> None:
        """Refuse a picture that is missing, of another format, or too large. Reads its header only."""
        self._opened(relative).close()

    def _opened(self, relative: str) -> Image.Image:
        path = self._inside(relative)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                image = Image.open(path, formats=_FORMATS)
        except _BOMB:
            raise self._too_large(relative) from None
        except _BROKEN as error:
            raise UserError(
                f"image {relative!r} is not a readable picture; valid: {', '.join(_FORMATS)} by content"
            ) from error
        if image.width * image.height > self.max_pixels:
            image.close()
            raise self._too_large(relative)
        return image

    def _inside(self, relative: str) -> Path:
        check_path(relative)
        path = (self.root / relative).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise UserError(f"image path {relative!r} is a link that leaves the image folder; {_VALID}")
        if not path.is_file():
            raise UserError(f"image {relative!r} is not a file in {self.root}; name the image folder with --images")
        return path

    def _too_large(self, relative: str) -> UserError:
        return UserError(f"image {relative!r} has too many pixels; valid: up to {self.max_pixels:,}")


def _to_rgb(image: Image.Image) -> Image.Image:
    # Pillow warns when a palette with transparency loses it in one step.
    return image.convert("RGBA").convert("RGB") if "transparency" in image.info else image.convert("RGB")
