"""Write tensors to safetensors shards, with one shard in memory at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file

from unmirage.errors import UserError
from unmirage.models.original_llava.stored import Weights
from unmirage.run.files import write_json_atomic

SHARD_BYTES = 5 * 10**9


def write_weights(
    folder: Path, weights: Weights, progress: Callable[[int, int], None], shard_bytes: int = SHARD_BYTES
) -> int:
    """Write the tensors as `save_pretrained` does, and return the number of files.

    Args:
        folder: existing folder.
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
            raise UserError(
                f"{file}: cannot be written ({' '.join(str(error).split())[:160]}); check free disk space"
            ) from None
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
