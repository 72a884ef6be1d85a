"""Compute the frozen reference's outputs and image features once, and keep them on disk for the whole run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unmirage.align.config import AlignConfig
from unmirage.align.dataset import PairedStreams, PassCollator, Rows
from unmirage.align.features import can_be_kept, look, shown
from unmirage.align.forward import PassBatch, Raw, raw_outputs, spoken
from unmirage.align.lora import arithmetic
from unmirage.align.objective import Method, Need, StreamName
from unmirage.align.plan import counted_places, keeps_reference, leaves_out_sinks
from unmirage.align.reference import KEPT
from unmirage.align.sinks import find_sinks, mean_squares
from unmirage.data.images import Pictures
from unmirage.records import Sample
from unmirage.run.files import open_bytes_atomic, write_json_atomic
from unmirage.run.fingerprint import hashed_fields
from unmirage.run.progress import StepProgress

_Ask = Callable[[PassBatch, StreamName], Iterator[Tensor]]
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
        """Write the tensor of each of `samples`, in that order; float32, float16 or bfloat16."""
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


class Memory:
    """Fills the caches of a run with outputs of the model before training.

    Args:
        model: the model; its adapter, if it has one, has no effect yet.
        key: hash of the model and the data; each key has separate caches.
    """

    def __init__(self, model: Any, collator: PassCollator, config: AlignConfig, folder: Path, key: str) -> None:
        self._model = model
        self._collator = collator
        self._config = config
        self._folder = folder
        self._key = key

    def fill(
        self,
        rows: dict[StreamName, Rows],
        drawn: PairedStreams,
        method: Method,
        progress: StepProgress | None,
        *,
        write: bool,
    ) -> None:
        """Attach the caches to each stream, after filling missing ones.

        Args:
            drawn: determines which rows the run will use.
            method: determines the needed reference outputs.
            write: fill missing caches; if False, another process has filled them.
        """
        for name, stream in rows.items():
            samples = drawn.drawn(name)
            if name == "prefer":
                stream.features = rows["forget"].features  # the same pictures, in the same order
            elif self._config.optimizations.cache_images and can_be_kept(self._model):
                first = stream.samples.first_shown(samples)
                if first:
                    looked_at = sorted(set(first.values()))
                    kept = self._kept(f"{name}-features", name, stream, looked_at, self._features, progress, write)
                    stream.features = Shared(kept, first)
            if leaves_out_sinks(name, method, self._config):
                kept = self._kept(f"{name}-squares", name, stream, samples, self._squares, progress, write)
                assert self._config.method.sink_ratio is not None
                stream.sinks = find_sinks({one: kept[one] for one in samples}, self._config.method.sink_ratio)
            for need in sorted(method.needs(name)) if keeps_reference(method, self._config) else ():
                ask = self._said(need)
                stream.cached[KEPT[need]] = self._kept(f"{name}-{need}", name, stream, samples, ask, progress, write)

    def _kept(
        self, what: str, name: StreamName, rows: Rows, samples: Sequence[int], ask: _Ask, told: StepProgress | None,
        write: bool,
    ) -> TensorCache:  # fmt: skip
        digest = hashlib.sha256(json.dumps([self._key, what, list(samples)]).encode()).hexdigest()[:16]
        cache = TensorCache(self._folder, f"{what}-{digest}")
        if write and not cache.complete:
            cache.fill(samples, self._answers(name, rows, samples, ask, told))
        return cache

    @torch.no_grad()
    def _answers(
        self, name: StreamName, rows: Rows, samples: Sequence[int], ask: _Ask, progress: StepProgress | None
    ) -> Iterator[Tensor]:
        # Pictures may have different numbers of tiles, so they are processed one by one.
        size = 1 if ask == self._features else self._config.micro_batch_size or self._config.batch_size
        device, dtype = self._model.device, arithmetic(self._config)
        autocast = torch.autocast(device.type, dtype) if dtype is torch.bfloat16 else nullcontext()
        for start in range(0, len(samples), size):
            batch = self._collator.batch({name: [rows[sample] for sample in samples[start : start + size]]})
            with autocast:
                yield from ask(batch.to(device), name)
            if progress is not None:
                progress(min(start + size, len(samples)), len(samples))

    def _said(self, need: Need) -> _Ask:
        def ask(batch: PassBatch, name: StreamName) -> Iterator[Tensor]:
            config = self._config
            with shown(self._model, batch.features):
                raw = raw_outputs(
                    self._model, batch, {name: frozenset({need})}, config.method.layer, config.optimizations
                )
            kept = self._part(batch, name, raw[name], need)
            mask = batch.places if need == "hidden" else batch.loss[:, 1:]
            yield from torch.split(kept, mask.sum(1).tolist())

        return ask

    def _squares(self, batch: PassBatch, name: StreamName) -> Iterator[Tensor]:
        for hidden in self._said("hidden")(batch, name):
            yield mean_squares(hidden)

    def _part(self, batch: PassBatch, name: StreamName, raw: Raw, need: Need) -> Tensor:
        if need == "log_probs":
            return spoken(self._model, batch, name, raw).log_probs
        part = raw.final if need == "logits" else raw.hidden
        assert part is not None
        return part

    def _features(self, batch: PassBatch, _name: StreamName) -> Iterator[Tensor]:
        """Yield the features of the pictures of the single row."""
        yield look(self._model, batch)


def key_of(
    model: Any, processor: Any, streams: dict[StreamName, Sequence[Sample]], images: Pictures, config: AlignConfig
) -> str:
    """Return a hash of everything that the caches depend on: weights, processor, data, pictures, settings."""
    digest = hashlib.sha256(str(processor.chat_template).encode())
    digest.update(json.dumps(processor.tokenizer.get_vocab(), sort_keys=True).encode())
    digest.update(processor.image_processor.to_json_string().encode())
    for name, tensor in model.state_dict().items():
        if ".lora_" not in name:
            digest.update(name.replace(".base_layer", "").encode())
            digest.update(tensor.detach().contiguous().cpu().flatten().view(torch.uint8).numpy().tobytes())
    for stream, samples in streams.items():
        digest.update(json.dumps([stream, [hashed_fields(sample) for sample in samples]], sort_keys=True).encode())
    for image in sorted({path for samples in streams.values() for sample in samples for path in sample.paths}):
        digest.update(hashlib.sha256(images.content(image)).digest())
    method = config.method
    asked: list[Any] = [method.layer, method.loss_tokens, method.compat, counted_places(config)]
    asked += [str(arithmetic(config)), method.sink_ratio]
    digest.update(json.dumps(asked).encode())
    return digest.hexdigest()
