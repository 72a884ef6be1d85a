"""Convert images to small data URIs, so that a page includes its images and loads nothing."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image

from unmirage.data.images import Pictures
from unmirage.errors import UserError

_LONGEST_SIDE = 224
_TINY = 96


@dataclass(frozen=True, slots=True)
class Picture:
    """A thumbnail. `tiny` ones are shown enlarged, pixel by pixel."""

    uri: str
    width: int
    height: int
    tiny: bool


def thumbnail(pictures: Pictures, relative: str) -> Picture | None:
    """Return the image of this name as a PNG data URI; None if it is missing or cannot be opened."""
    try:
        image = pictures.open(relative)
    except (UserError, OSError):
        return None
    if max(image.size) > _TINY:
        image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
        image = image.quantize(256, dither=Image.Dither.NONE)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    uri = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
    scale = max(1, _LONGEST_SIDE // 2 // max(image.size))
    return Picture(uri, image.width * scale, image.height * scale, scale > 1)
