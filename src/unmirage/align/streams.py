"""Samples in, batches out: encoded once, paired by a schedule that is a pure function of seed and position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from unmirage.data.images import ImageFolder
from unmirage.models.encoding import Example, collate, encode_example
from unmirage.records import Sample

_CACHE_BYTES = 2**30


class EncodedSamples:
    """A list of samples as training examples, encoded on first use and kept while they fit into 1 GiB."""

    def __init__(self, samples: Sequence[Sample], processor: Any, images: ImageFolder) -> None:
        self._samples = samples
        self._processor = processor
        self._images = images
        self._cache: dict[int, Example] = {}
        self._cached_bytes = 0

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Example:
        if index in self._cache:
            return self._cache[index]
        sample = self._samples[index]
        image = None if sample.image is None else self._images.open(sample.image)
        example = encode_example(self._processor, sample.query, sample.answer, image)
        if self._cached_bytes + example.bytes <= _CACHE_BYTES:
            self._cache[index] = example
            self._cached_bytes += example.bytes
        return example


class PairedStreams(Dataset[dict[str, Example]]):
    """Item i holds the i-th example of each stream; every stream goes round in shuffled passes of its own.

    The order depends on (seed, stream, pass) alone, so it is the same after a resume and on every machine.
    """

    def __init__(self, streams: dict[str, EncodedSamples], length: int, seed: int) -> None:
        self._streams = streams
        self._length = length
        self._seed = seed
        self._orders: dict[tuple[str, int], list[int]] = {}

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> dict[str, Example]:
        return {name: stream[self._order(name, index)] for name, stream in self._streams.items()}

    def _order(self, name: str, index: int) -> int:
        turn, place = divmod(index, len(self._streams[name]))
        if (name, turn) not in self._orders:
            rng = np.random.default_rng([self._seed, turn, *name.encode()])
            self._orders = {key: order for key, order in self._orders.items() if key[0] != name}
            self._orders[name, turn] = rng.permutation(len(self._streams[name])).tolist()
        return self._orders[name, turn][place]


class PairCollator:
    """Put the rows of all streams into one batch, so that one forward pass serves them all."""

    def __init__(self, pad_token_id: int) -> None:
        self._pad_token_id = pad_token_id

    def __call__(self, items: Sequence[dict[str, Example]]) -> dict[str, Tensor]:
        """Return `collate`'s batch and `is_forget` (batch,)."""
        names = sorted(items[0])
        examples = [item[name] for name in names for item in items]
        is_forget = [name == "forget" for name in names for _ in items]
        return {**collate(examples, self._pad_token_id), "is_forget": torch.tensor(is_forget)}
