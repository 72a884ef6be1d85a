"""Rename and check the tensors of an original checkpoint, and add rows for new tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor
from transformers import LlavaConfig, LlavaForConditionalGeneration

from unmirage.errors import UserError, one_line
from unmirage.models.original_llava.adapter import (
    EMBEDDINGS,
    HEAD,
    PROJECTOR,
    TOWER,
    hub_name,
    hub_name_in_memory,
    is_derived,
)
from unmirage.models.original_llava.stored import Stored, Weights
from unmirage.run.files import write_json_atomic
from unmirage.run.progress import StepProgress

# LLaVA-1.6 ends rows of image patches with this tensor; the supported models do not use it.
_UNUSED = ("model.image_newline",)


def renamed(weights: Weights) -> Weights:
    """Return the tensors of an original checkpoint under their hub names; an unknown tensor is an error."""
    found: Weights = {}
    for name, one in weights.items():
        if is_derived(name) or name in _UNUSED:
            continue
        new = hub_name(name)
        if new is None:
            raise UserError(f"{one.file}: {name} is not a tensor of LLaVA-1.5; valid: a checkpoint of LLaVA on Llama")
        found[new] = one
    return found


def with_tower(weights: Weights, tower: Weights) -> Weights:
    """Return the tensors plus those of the tower, in the precision of the rest. A tower in the checkpoint stays."""
    if any(name.startswith(TOWER) for name in weights):
        return weights
    dtype = weights[EMBEDDINGS].dtype if EMBEDDINGS in weights else torch.float32
    return weights | {name: _as_type(one, dtype) for name, one in tower.items()}


def with_second_layer(weights: Weights, hidden_size: int) -> Weights:
    """Return the tensors of a linear projector followed by an identity layer, which does not change its output."""
    first = weights.get(f"{PROJECTOR}linear_1.weight")
    dtype, file = (first.dtype, first.file) if first is not None else (torch.float32, "")
    shape = (hidden_size, hidden_size)
    return weights | {
        f"{PROJECTOR}linear_2.weight": Stored(shape, dtype, file, partial(torch.eye, hidden_size, dtype=dtype)),
        f"{PROJECTOR}linear_2.bias": Stored(shape[:1], dtype, file, partial(torch.zeros, hidden_size, dtype=dtype)),
    }


def with_rows(weights: Weights, rows: int) -> Weights:
    """Return the tensors with `rows` rows of embeddings and of the output layer; new rows are the mean of the old.

    A token whose output row is the mean has the mean of all logits, and so is never the most likely one.
    """
    return weights | {name: _extended(weights[name], rows) for name in (EMBEDDINGS, HEAD)}


def check(weights: Mapping[str, Stored], config: LlavaConfig, rows: int, folder: object) -> None:
    """Raise a `UserError` for the first tensor that is missing, unexpected or of another shape than in `config`.

    Args:
        weights: by hub name, without rows for new tokens.
        rows: number of embedding rows before new tokens are added.
    """
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    expected = {hub_name_in_memory(name): tuple(one.shape) for name, one in model.state_dict().items()}
    expected |= {name: (rows, expected[name][1]) for name in (EMBEDDINGS, HEAD)}
    for name, shape in expected.items():
        if name not in weights:
            raise UserError(f"{folder}: {name} is missing; valid: a whole checkpoint ({len(expected)} tensors)")
        one = weights[name]
        if one.shape != shape:
            raise UserError(f"{one.file}: {name} has shape {list(one.shape)}; config.json requires {list(shape)}")
        if not one.dtype.is_floating_point:
            raise UserError(f"{one.file}: {name} has dtype {one.dtype}; use floating-point weights, not quantized ones")
    for name in weights.keys() - expected.keys():
        raise UserError(
            f"{weights[name].file}: {name} is not part of the model in config.json; use files of one checkpoint"
        )


def _as_type(one: Stored, dtype: torch.dtype) -> Stored:
    return replace(one, dtype=dtype, read=lambda: one.read().to(dtype))


def _extended(one: Stored, rows: int) -> Stored:
    def read() -> Tensor:
        table = one.read()
        mean = table.float().mean(dim=0, keepdim=True).to(table.dtype)
        return torch.cat([table, mean.expand(rows - len(table), -1)])

    return replace(one, shape=(rows, *one.shape[1:]), read=read)


SHARD_BYTES = 5 * 10**9


def write_weights(folder: Path, weights: Weights, progress: StepProgress, shard_bytes: int = SHARD_BYTES) -> int:
    """Write the tensors as `save_pretrained` does, and return the number of files.

    Args:
        weights: read one shard at a time.
        progress: called with (bytes written, total bytes).
        shard_bytes: maximum size of a file in bytes, except for a single larger tensor.
    """
    shards = _shards(weights, shard_bytes)
    total, done = sum(one.bytes for one in weights.values()), 0
    where: dict[str, str] = {}
    for number, names in enumerate(shards, start=1):
        file = "model.safetensors" if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}.safetensors"
        tensors = {name: weights[name].read().contiguous() for name in names}
        try:
            save_file(tensors, folder / file, metadata={"format": "pt"})
        except SafetensorError as error:  # such as a full disk
            raise UserError(f"{file}: cannot be written ({one_line(error, 160)}); check free disk space") from None
        where |= dict.fromkeys(names, file)
        done += sum(weights[name].bytes for name in names)
        del tensors
        progress(done, total)
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": where}
        write_json_atomic(folder / "model.safetensors.index.json", index)
    return len(shards)


def _shards(weights: Weights, shard_bytes: int) -> list[list[str]]:
    shards: list[list[str]] = [[]]
    held = 0
    for name in sorted(weights):
        size = weights[name].bytes
        if shards[-1] and held + size > shard_bytes:
            shards.append([])
            held = 0
        shards[-1].append(name)
        held += size
    return shards
