"""Convert a decoded picture to RGB as people see it: upright, on white, in 8 bits.

Model, audit, endpoint and report use this one conversion. For pictures that a viewer turns or puts on a background, it
agrees with `transformers.image_utils.load_image` (orientation) and `transformers.image_transforms.convert_to_rgb`
(transparency).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import numpy as np
from PIL import ExifTags, Image

_Turn = Image.Transpose
# EXIF 2.32, tag 0x0112: what turns the stored picture upright.
_TURNS = {
    2: _Turn.FLIP_LEFT_RIGHT,
    3: _Turn.ROTATE_180,
    4: _Turn.FLIP_TOP_BOTTOM,
    5: _Turn.TRANSPOSE,
    6: _Turn.ROTATE_270,
    7: _Turn.TRANSVERSE,
    8: _Turn.ROTATE_90,
}
_METADATA = {"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"}  # where Pillow finds an orientation
_SIDEWAYS = (5, 6, 7, 8)
# Bits of a gray value in a PNG with fewer than eight of them, and the factor by which Pillow scales the pixels.
_SCALED = {"L;2": (3, 85), "L;4": (15, 17)}
_FILTERS = Lock()


@contextmanager
def with_warnings(action: str, category: type[Warning]) -> Iterator[None]:
    """Treat warnings of this category in one way. Filters belong to the process, so only one thread may change them."""
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter(action, category)  # type: ignore[arg-type]
        yield


def as_seen(image: Image.Image) -> Image.Image:
    """Decode a picture and return it as RGB, without the metadata that describe the stored form.

    The EXIF orientation is applied. Transparent parts show white. Of 16-bit values the upper eight bits are kept, as
    Pillow does for 16-bit colors; it would clip gray values at 255.

    Args:
        image: an opened picture; its pixels need not be loaded.
    """
    tiles = getattr(image, "tile", None)  # of an image file; it says how a PNG stores its pixels
    stored_as = str(tiles[0][3]) if tiles else image.mode
    image.load()
    turn = _TURNS.get(orientation(image))
    seen = _on_white(image if turn is None else image.transpose(turn), stored_as)
    if seen is image:
        seen = image.copy()
    # What is read next must not turn the picture once more.
    seen.info = {name: value for name, value in image.info.items() if name == "icc_profile"}
    return seen


def downscaled(image: Image.Image, longest: int) -> Image.Image:
    """Return a picture with its longer side reduced to `longest` pixels, by Lanczos; the aspect ratio is kept."""
    scale = longest / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def is_sideways(image: Image.Image) -> bool:
    """Return whether a loaded picture is stored turned by 90°, so that width and height are exchanged."""
    return orientation(image) in _SIDEWAYS


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of a loaded picture, 1 to 8; 1 (upright) if there is none or its data are damaged."""
    if _METADATA.isdisjoint(image.info):
        return 1
    try:
        with with_warnings("ignore", UserWarning):
            found = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # damaged EXIF data raise many kinds of errors, and viewers ignore them
        return 1
    return found if isinstance(found, int) and found in _TURNS else 1


def _on_white(image: Image.Image, stored_as: str) -> Image.Image:
    """Return a loaded picture as RGB; itself if it is RGB already."""
    key = image.info.get("transparency")
    if image.mode.startswith("I"):
        values = np.asarray(image).clip(0, 2**16 - 1)
        gray = (values >> 8).astype(np.uint8)
        if key is not None:
            gray[values == key] = 255
        return Image.fromarray(gray).convert("RGB")
    if key is not None and image.mode in ("L", "RGB"):
        image.info["transparency"] = _in_pixels(key, stored_as)
    if key is None and "A" not in image.getbands():
        return image if image.mode == "RGB" else image.convert("RGB")
    shown = image if image.mode == "RGBA" else image.convert("RGBA")
    seen = Image.new("RGB", shown.size, "white")
    seen.paste(shown, mask=shown)
    return seen


def _in_pixels(key: int | tuple[int, ...], stored_as: str) -> int | tuple[int, ...]:
    """Return the transparent color of a PNG, which is in the file's bits, as Pillow's pixels have it.

    Only the lower bits count (PNG 3, 11.3.1.1). Pillow keeps the upper byte of 16-bit colors, so colors that share it
    with the transparent one become transparent as well.
    """
    if isinstance(key, tuple):
        return tuple(value >> 8 if stored_as.startswith("RGB;16") else value & 255 for value in key)
    mask, factor = _SCALED.get(stored_as, (255, 1))
    return (key & mask) * factor
