"""Cache per-sample tensors on disk: written once, sequentially, and read by sample without loading the whole file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unmirage.run.files import open_bytes_atomic, write_json_atomic

# numpy has no bfloat16, so its bits are stored as integers.
_BITS = {torch.float32: np.float32, torch.bfloat16: np.int16, torch.float16: np.float16}


class TensorCache:
    """One tensor (n_i, ...) per sample, all with one dtype and trailing shape.

    The index is written last, so a partly filled cache counts as missing after a crash.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._data = folder / f"{name}.bin"
        self._index = folder / f"{name}.json"
        self._slots: dict[int, int] = {}

    @property
    def complete(self) -> bool:
        """Whether the cache is filled."""
        return self._index.is_file() and self._data.is_file()

    def fill(self, samples: Sequence[int], tensors: Iterable[Tensor]) -> None:
        """Write the tensor of each of `samples`, in that order.

        Args:
            samples: sample numbers.
            tensors: one tensor per sample, of float32, float16 or bfloat16.
        """
        starts, shape, dtype = [0], None, None
        with open_bytes_atomic(self._data) as file:
            for tensor in tensors:
                held = tensor.detach().contiguous().cpu()
                shape, dtype = list(held.shape[1:]), held.dtype
                bits = held.view(torch.int16) if dtype is torch.bfloat16 else held
                file.write(bits.numpy().tobytes())
                starts.append(starts[-1] + len(held))
        assert len(starts) == len(samples) + 1
        index = {"samples": list(samples), "starts": starts, "shape": shape, "dtype": str(dtype)}
        write_json_atomic(self._index, index)

    def __getitem__(self, sample: int) -> Tensor:
        """Return the tensor of a sample."""
        if not self._slots:
            self._open()
        slot = self._slots[sample]
        held = torch.from_numpy(np.array(self._rows[self._starts[slot] : self._starts[slot + 1]]))
        return held.view(torch.bfloat16) if self._dtype is torch.bfloat16 else held

    def _open(self) -> None:
        index = json.loads(self._index.read_text(encoding="utf-8"))
        self._dtype: torch.dtype = getattr(torch, index["dtype"].removeprefix("torch."))
        self._starts: list[int] = index["starts"]
        shape = (self._starts[-1], *index["shape"])
        self._rows = np.memmap(self._data, dtype=_BITS[self._dtype], mode="r", shape=shape)
        self._slots = {sample: slot for slot, sample in enumerate(index["samples"])}


class Shared:
    """A cache in which several samples share one tensor.

    Args:
        cache: the cache, which stores each tensor once.
        held_as: sample number -> number under which its tensor is stored.
    """

    def __init__(self, cache: TensorCache, held_as: Mapping[int, int]) -> None:
        self._cache = cache
        self._held_as = held_as

    def __getitem__(self, sample: int) -> Tensor:
        """Return the tensor of a sample."""
        return self._cache[self._held_as[sample]]
