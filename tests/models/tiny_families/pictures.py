"""Small pictures that differ, in sizes that become different numbers of tokens."""

from __future__ import annotations

from itertools import cycle, islice

import numpy as np
from PIL import Image

SIZES = ((48, 32), (32, 64), (32, 32), (64, 64), (40, 24))  # (width, height)


def pictures(n: int, size: tuple[int, int] | None = None) -> list[Image.Image]:
    """Return `n` different RGB pictures, all of `size` (width, height) or each of another one of `SIZES`."""
    sizes = [size] * n if size is not None else [*islice(cycle(SIZES), n)]
    fields = np.random.default_rng(0).integers(0, 256, (n, 4, 4, 3), dtype=np.uint8)
    return [
        Image.fromarray(field).resize(one, Image.Resampling.NEAREST) for field, one in zip(fields, sizes, strict=True)
    ]
