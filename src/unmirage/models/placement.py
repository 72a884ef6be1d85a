"""Where the weights of a model are, and in which dtype: the settings `device` and `dtype` of commands and functions."""

from __future__ import annotations

import logging
import re
from typing import Literal, NamedTuple

import torch

from unmirage.errors import UserError, unknown
from unmirage.run.processor import bfloat16_instructions

log = logging.getLogger(__name__)
_noted: list[str] = []
DTYPES = ("auto", "float32", "bfloat16")


class Placement(NamedTuple):
    """The device of a model, and the dtype of its weights; "auto" is that of the checkpoint."""

    device: torch.device
    dtype: torch.dtype | Literal["auto"]

    @classmethod
    def of(cls, dtype: str = "auto", device: str = "auto") -> Placement:
        """Return the placement for two settings.

        Args:
            dtype: "float32", "bfloat16", or "auto": float32 on a CPU, the checkpoint's dtype on a GPU.
            device: "cpu", "cuda", "cuda:1", "mps", or "auto": a GPU of CUDA if there is one, else the CPU.

        Raises:
            UserError: a setting is unknown, or this machine lacks the device.
        """
        place = device_of(device)
        if check_dtype(dtype) == "bfloat16":
            note_bfloat16(place)
        if dtype != "auto":
            return cls(place, torch.bfloat16 if dtype == "bfloat16" else torch.float32)
        return cls(place, torch.float32 if place.type == "cpu" else "auto")


def check_dtype(dtype: str) -> str:
    """Return a valid setting `dtype`.

    Raises:
        UserError: it is unknown.
    """
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    return dtype


def device_of(device: str) -> torch.device:
    """Return the device for a setting `device`.

    Raises:
        UserError: it is unknown, or this machine lacks the device.
    """
    cuda = torch.cuda.is_available()
    if device == "auto":
        return torch.device("cuda" if cuda else "cpu")
    if device == "cpu":
        return torch.device("cpu")
    number = re.fullmatch(r"cuda(?::(\d{1,4}))?", device)
    if number is None and device != "mps":
        raise UserError(f"device '{device}': is unknown; valid: auto, cpu, cuda, cuda:N (such as cuda:1), mps")
    if number is None and not torch.backends.mps.is_available():
        raise UserError("device 'mps': torch finds no GPU of Apple here; valid: auto, cpu")
    if number is not None and not cuda:
        why = "was built without CUDA" if torch.version.cuda is None else "finds no GPU"
        raise UserError(f"device '{device}': torch {torch.__version__} {why}; valid: auto, cpu")
    count = torch.cuda.device_count()
    if number is not None and int(number[1] or 0) >= count:
        raise UserError(f"device '{device}': this machine has {count} GPUs; valid: cuda:0 to cuda:{count - 1}")
    return torch.device(device)


def note_bfloat16(device: torch.device) -> None:
    """Log a line if the processor is asked for bfloat16 without having instructions for it."""
    if device.type == "cpu" and bfloat16_instructions() == () and not _noted:
        _noted.append("bfloat16")  # a command may load many models
        log.warning(
            "bfloat16: this processor has no instructions for it and emulates them, which is usually slower than "
            "float32; `unmirage doctor` measures both"
        )
