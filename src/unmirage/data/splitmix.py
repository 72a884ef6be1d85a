"""SplitMix64 (Steele, Lea and Flood 2014): scrambles counters into numbers that look random, in NumPy or PyTorch.

Bits are int64 arrays or tensors of any shape but (). Their sums and products wrap, as the generator asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

Bits = TypeVar("Bits", "npt.NDArray[np.int64]", "Tensor")


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


# The generator's counter grows by this much for each number.
STEP = _signed(0x9E3779B97F4A7C15)
_MIX = ((30, _signed(0xBF58476D1CE4E5B9)), (27, _signed(0x94D049BB133111EB)))
_LAST_SHIFT = 31


def finalized(counter: Bits) -> Bits:
    """Return one scrambled number for each counter, int64 of the same shape."""
    bits = counter
    for shift, factor in _MIX:
        bits = (bits ^ shifted(bits, shift)) * factor
    return bits ^ shifted(bits, _LAST_SHIFT)


def shifted(bits: Bits, places: int) -> Bits:
    """Return int64 bits shifted right and filled with zeros; `>>` fills with copies of the sign."""
    return (bits >> places) & ((1 << (64 - places)) - 1)
