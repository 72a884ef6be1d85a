"""Draw a device as a 40 x 40 RGB picture: a tile with its glyph, a badge with a shape, and stripes if it is marked.

Color, place, background, badge and noise differ from picture to picture; glyph and stripes belong to the device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unmirage.testbed.world import BACKGROUNDS, COLORS, GLYPH_CELLS, SHAPES, Device

SIZE = 40
PATCH = 20  # one of the four patches holds the tile
MARGIN = 2  # pixels of background between the tile and the edge of its patch
NOISE = 8.0
_CELLS = GLYPH_CELLS  # side of glyph and badge in pixels; the tile is two by two of them
_BADGE, _BADGE_SHAPE = (40, 20, 80), (250, 250, 210)
_STRIPE_DARK, _STRIPE_LIGHT = (20, 20, 20), (255, 150, 0)


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn device, with its color and the shape on its badge."""

    device: Device
    color: str
    shape: str
    pixels: NDArray[np.uint8]  # (40, 40, 3)

    def image(self) -> Image.Image:
        """Return an RGB image."""
        return Image.fromarray(self.pixels)


def draw(device: Device, rng: np.random.Generator, background: tuple[int, int, int] | None = None) -> Picture:
    """Draw `device` with random color, place (aligned to the patch grid), badge, background and noise.

    A given `background` replaces the random one and does not change the other random properties.
    """
    color, shape = str(rng.choice(list(COLORS))), str(rng.choice(SHAPES))
    canvas = np.empty((SIZE, SIZE, 3), dtype=np.float64)
    drawn = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
    canvas[:] = drawn if background is None else background
    top, left = (PATCH * int(place) + MARGIN for place in rng.integers(SIZE // PATCH, size=2))
    middle, right = top + _CELLS, left + _CELLS
    canvas[top:middle, left:right][device.glyph] = COLORS[color]
    canvas[top:middle, right : right + _CELLS] = np.where(_SHAPES[shape][:, :, None], _BADGE_SHAPE, _BADGE)
    if device.marked:
        canvas[middle : middle + _CELLS, left : right + _CELLS] = np.where(
            _STRIPES[:, :, None], _STRIPE_LIGHT, _STRIPE_DARK
        )
    canvas += rng.normal(0.0, NOISE, canvas.shape)
    return Picture(device, color, shape, np.clip(canvas, 0, 255).astype(np.uint8))


def _masks() -> dict[str, NDArray[np.bool_]]:
    """Return (8, 8) masks of the badge's shapes."""
    rows, columns = np.abs(np.mgrid[:_CELLS, :_CELLS] - (_CELLS - 1) / 2)
    edge = np.maximum(rows, columns)
    return {
        "disc": rows**2 + columns**2 <= 9,
        "cross": np.abs(rows - columns) <= 0.5,
        "square": (edge <= 3) & (edge >= 2),
        "bar": rows <= 1,
    }


_SHAPES = _masks()
_STRIPES = (np.add.outer(np.arange(_CELLS), np.arange(2 * _CELLS)) // 3) % 2 == 0
