"""Open weight files lazily: names, shapes and dtypes at once, each tensor only when it is needed."""

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

from unmirage.errors import UserError, one_line
from unmirage.models.folder import check_hub_id, downloaded
from unmirage.run.files import read_object

_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}


@dataclass(frozen=True, slots=True)
class Stored:
    """One tensor in a file, or computed from tensors in files."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    file: str
    read: Callable[[], Tensor]

    @property
    def bytes(self) -> int:
        """Return the size in memory, in bytes."""
        return self.dtype.itemsize * torch.Size(self.shape).numel()


Weights = dict[str, Stored]


def open_weights(folder: Path, stem: str, pickled_stem: str, *, from_pickle: bool) -> Weights:
    """Return the tensors of a checkpoint: from safetensors or, if allowed, from pickles.

    Args:
        stem: "model" for model.safetensors, or for its shards with their index.
        pickled_stem: "pytorch_model" for pytorch_model.bin, likewise.
        from_pickle: read pickles, with the unpickler that loads only tensors and runs no code.
    """
    if files := _files(folder, stem, ".safetensors"):
        return _joined(_open_safetensors(file) for file in files)
    pickled = [one for ending in (".bin", ".bin.index.json") if (one := folder / (pickled_stem + ending)).is_file()]
    if not pickled:
        raise UserError(f"{folder}: no weights; valid: {stem}.safetensors or its shards, or .bin with --from-pickle")
    _check_wanted(pickled[0], from_pickle)  # before looking for shards, which are not downloaded without the option
    files = _files(folder, pickled_stem, ".bin")
    return _joined(open_pickle(file, from_pickle=from_pickle) for file in files)


def open_pickle(file: Path, *, from_pickle: bool) -> Weights:
    """Return the tensors of one pickle, memory-mapped; an error unless `from_pickle`."""
    _check_wanted(file, from_pickle)
    try:
        held: Any = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise UserError(
            f"{file}: not a pickle of tensors only in torch's zip format ({one_line(error)}); use safetensors"
        ) from None
    if not isinstance(held, Mapping) or not all(isinstance(one, Tensor) for one in held.values()):
        raise UserError(f"{file}: does not map names to tensors; use a state dict")
    return {
        str(name): Stored(tuple(one.shape), one.dtype, str(file), partial(torch.clone, one))
        for name, one in held.items()
    }


def _check_wanted(file: Path, from_pickle: bool) -> None:
    if not from_pickle:
        raise UserError(
            f"{file}: is a pickle, which is not read by default; use safetensors, or --from-pickle if you trust it"
        )


def _files(folder: Path, stem: str, ending: str) -> list[Path]:
    """Return the single file, or the shards in the index; an empty list if there is neither."""
    index = folder / f"{stem}{ending}.index.json"
    if not index.is_file():
        return [one] if (one := folder / f"{stem}{ending}").is_file() else []
    shards = read_object(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise UserError(f"{index}: weight_map is missing; use the index that save_pretrained() writes")
    files = []
    for name in sorted({str(name) for name in shards.values()}):
        if Path(name).name != name:
            raise UserError(f"{index}: weight_map contains the path {name!r}; use file names in the same folder")
        if not (folder / name).is_file():
            raise UserError(f"{index}: lists {name}, which is missing; download the checkpoint again")
        files.append(folder / name)
    return files


def _joined(parts: Any) -> Weights:
    joined: Weights = {}
    for part in parts:
        for name, one in part.items():
            if name in joined:
                raise UserError(f"{one.file}: {name} is also in {joined[name].file}; keep one of them")
            joined[name] = one
    return joined


def _open_safetensors(file: Path) -> Weights:
    try:
        with safe_open(file, "pt") as held:
            slices = {name: held.get_slice(name) for name in held.keys()}  # noqa: SIM118 (not a dict)
            heads = {name: (tuple(one.get_shape()), str(one.get_dtype())) for name, one in slices.items()}
    except SafetensorError as error:
        raise UserError(
            f"{file}: safetensors file is corrupt or truncated ({one_line(error)}); download it again"
        ) from None
    for name, (_, kind) in heads.items():
        if kind not in _DTYPES:
            raise UserError(f"{file}: {name} has dtype {kind}; valid: {', '.join(_DTYPES)} (not quantized)")
    return {
        name: Stored(shape, _DTYPES[kind], str(file), partial(_read, file, name))
        for name, (shape, kind) in heads.items()
    }


def _read(file: Path, name: str) -> Tensor:
    with safe_open(file, "pt") as held:
        tensor: Tensor = held.get_tensor(name)
    return tensor


# Weights and small files; no code and no weights for other frameworks.
_WANTED = ("*.json", "*.safetensors", "*.model", "*.jinja")


def checkpoint_folder(option: str, source: str, *, from_pickle: bool) -> Path:
    """Return the folder of a checkpoint; an id of the form owner/name is downloaded from the hub."""
    if Path(source).is_dir():
        return Path(source)
    check_hub_id(option, source)
    return downloaded(option, source, allow_patterns=[*_WANTED, *(["*.bin"] if from_pickle else [])])
