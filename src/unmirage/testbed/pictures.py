"""Draw a device: its glyph in a colour, somewhere on a background, with pixel noise. 32 x 32 RGB."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unmirage.testbed.world import BACKGROUNDS, COLOURS, GLYPH_CELLS, Device

SIZE = 32
PATCH = 8
CELL_PIXELS = 2
NOISE = 12.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn device and the colour it was drawn in."""

    device: Device
    colour: str
    pixels: NDArray[np.uint8]  # (32, 32, 3)

    def image(self) -> Image.Image:
        """Return it as an RGB picture."""
        return Image.fromarray(self.pixels)


def draw(device: Device, rng: np.random.Generator, background: tuple[int, int, int] | None = None) -> Picture:
    """Draw `device` in a random colour, place (aligned to the patch grid), background and noise.

    A given `background` replaces the random one and leaves all else as it would have been.
    """
    colour = str(rng.choice(list(COLOURS)))
    canvas = np.empty((SIZE, SIZE, 3), dtype=np.float64)
    drawn = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
    canvas[:] = drawn if background is None else background
    side = GLYPH_CELLS * CELL_PIXELS
    top, left = PATCH * rng.integers((SIZE - side) // PATCH + 1, size=2)
    mask = np.kron(device.glyph, np.ones((CELL_PIXELS, CELL_PIXELS), dtype=bool))
    canvas[top : top + side, left : left + side][mask] = COLOURS[colour]
    canvas += rng.normal(0.0, NOISE, canvas.shape)
    return Picture(device, colour, np.clip(canvas, 0, 255).astype(np.uint8))
