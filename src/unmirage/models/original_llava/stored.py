"""A folder of weights in, its tensors by name out: each is read only when it is asked for."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from unmirage.errors import UserError
from unmirage.run.json_files import read_object

_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}


@dataclass(frozen=True, slots=True)
class Stored:
    """One tensor that lies in a file, or is to be worked out from such.

    Attributes:
        shape: of the tensor.
        dtype: of the tensor.
        file: where it comes from, for messages.
        read: loads it.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    file: str
    read: Callable[[], Tensor]

    @property
    def bytes(self) -> int:
        """Return the memory that it takes once read."""
        return self.dtype.itemsize * torch.Size(self.shape).numel()


Weights = dict[str, Stored]


def open_weights(folder: Path, stem: str, pickled_stem: str, *, from_pickle: bool) -> Weights:
    """Return the tensors of a checkpoint: of its safetensors, or else, where that is allowed, of its pickles.

    Args:
        folder: of the checkpoint.
        stem: "model" for model.safetensors, or its shards with their index.
        pickled_stem: "pytorch_model" for pytorch_model.bin, likewise.
        from_pickle: read pickles, by the unpickler that knows tensors only and runs no code.
    """
    if files := _files(folder, stem, ".safetensors"):
        return _joined(_open_safetensors(file) for file in files)
    pickled = [one for ending in (".bin", ".bin.index.json") if (one := folder / (pickled_stem + ending)).is_file()]
    if not pickled:
        raise UserError(f"{folder}: no weights; valid: {stem}.safetensors or its shards, or .bin with --from-pickle")
    _check_wanted(pickled[0], from_pickle)  # before its shards are looked for: unasked, they are not even fetched
    files = _files(folder, pickled_stem, ".bin")
    return _joined(open_pickle(file, from_pickle=from_pickle) for file in files)


def open_pickle(file: Path, *, from_pickle: bool) -> Weights:
    """Return the tensors of one pickle, mapped into memory; refused unless `from_pickle`."""
    _check_wanted(file, from_pickle)
    try:
        held: Any = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise UserError(f"{file}: not a file of tensors only, in torch's zip format ({_line(error)})") from None
    if not isinstance(held, Mapping) or not all(isinstance(one, Tensor) for one in held.values()):
        raise UserError(f"{file}: does not hold tensors by name; valid: a state dict")
    return {
        str(name): Stored(tuple(one.shape), one.dtype, str(file), partial(torch.clone, one))
        for name, one in held.items()
    }


def _check_wanted(file: Path, from_pickle: bool) -> None:
    if not from_pickle:
        raise UserError(
            f"{file}: of pickles, never read unasked; valid: safetensors, or --from-pickle if you trust its source"
        )


def _files(folder: Path, stem: str, ending: str) -> list[Path]:
    """Return the one file, or the shards that the index names; none where neither is there."""
    index = folder / f"{stem}{ending}.index.json"
    if not index.is_file():
        return [one] if (one := folder / f"{stem}{ending}").is_file() else []
    shards = read_object(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise UserError(f"{index}: no weight_map; valid: the index that save_pretrained() writes")
    files = []
    for name in sorted({str(name) for name in shards.values()}):
        if Path(name).name != name:
            raise UserError(f"{index}: weight_map names {name!r}; valid: files of the same folder")
        if not (folder / name).is_file():
            raise UserError(f"{index}: names {name}, which is not there; valid: a complete download")
        files.append(folder / name)
    return files


def _joined(parts: Any) -> Weights:
    joined: Weights = {}
    for part in parts:
        for name, one in part.items():
            if name in joined:
                raise UserError(f"{one.file}: {name} is in {joined[name].file} too; valid: each tensor once")
            joined[name] = one
    return joined


def _open_safetensors(file: Path) -> Weights:
    try:
        with safe_open(file, "pt") as held:
            slices = {name: held.get_slice(name) for name in held.keys()}  # noqa: SIM118 (it is no dict)
            heads = {name: (tuple(one.get_shape()), str(one.get_dtype())) for name, one in slices.items()}
    except SafetensorError as error:
        raise UserError(f"{file}: not a whole safetensors file ({_line(error)})") from None
    for name, (_, kind) in heads.items():
        if kind not in _DTYPES:
            raise UserError(f"{file}: {name} is of type {kind}; valid: {', '.join(_DTYPES)}, so not quantised")
    return {
        name: Stored(shape, _DTYPES[kind], str(file), partial(_read, file, name))
        for name, (shape, kind) in heads.items()
    }


def _read(file: Path, name: str) -> Tensor:
    with safe_open(file, "pt") as held:
        tensor: Tensor = held.get_tensor(name)
    return tensor


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
