"""The image processors that the library has for torchvision only, run with a few of its functions written in torch.

Llama 4, Kimi K2.5, Molmo 2, Cohere2-Vision and LFM2-VL have no other, and Pixtral's processor imports its own. Their
code is the library's; only resizing, padding and normalising are ours, so pixels may differ in their last digits.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import image_processing_backends as backends
from transformers.image_utils import PILImageResampling


class _InterpolationMode(Enum):
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    LANCZOS = "lanczos"


def _resize(image: Tensor, size: Sequence[int], interpolation: Any = None, antialias: bool = True) -> Tensor:
    batch = image if image.dim() == 4 else image[None]
    mode = interpolation.value if interpolation is not None else "bilinear"
    pixels = F.interpolate(batch.float(), size=list(size), mode=mode, antialias=antialias, align_corners=False)
    if not image.is_floating_point():
        pixels = pixels.round().clamp(0, 255).to(image.dtype)
    return pixels if image.dim() == 4 else pixels[0]


def _pad(image: Tensor, padding: Sequence[int], fill: Any = 0, padding_mode: str = "constant") -> Tensor:
    left, top, right, bottom = padding
    colours = {*fill} if isinstance(fill, (list, tuple)) else {fill or 0}
    (value,) = colours  # one number for all three channels
    return F.pad(image, (left, right, top, bottom), mode=padding_mode, value=value)


def _normalize(image: Tensor, mean: Any, std: Any, inplace: bool = False) -> Tensor:
    centre, spread = (torch.as_tensor(one, dtype=image.dtype).reshape(-1, 1, 1) for one in (mean, std))
    return (image - centre) / spread


_FUNCTIONS = ModuleType("torchvision.transforms.v2.functional")
_FUNCTIONS.__dict__.update(
    InterpolationMode=_InterpolationMode, resize=_resize, pad=_pad, normalize=_normalize
)  # fmt: skip


@contextmanager
def _importable() -> Iterator[None]:
    """Let the library import torchvision's functions; nobody else does."""
    names = ("torchvision", "torchvision.transforms", "torchvision.transforms.v2")
    made = {name: ModuleType(name) for name in names} | {_FUNCTIONS.__name__: _FUNCTIONS}
    made["torchvision.transforms.v2"].functional = _FUNCTIONS  # type: ignore[attr-defined]
    missing = {name: module for name, module in made.items() if name not in sys.modules}
    sys.modules.update(missing)
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


def library_class(module: str, name: str) -> Any:
    """Return a class of transformers whose module imports torchvision."""
    with _importable():
        found = getattr(import_module(f"transformers.models.{module}"), name)
    if not hasattr(backends, "tvF"):
        backends.tvF = _FUNCTIONS
        backends.pil_torch_interpolation_mapping = {PILImageResampling[mode.name]: mode for mode in _InterpolationMode}
    return found
