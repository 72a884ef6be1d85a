"""The order of a stream's samples: a pure function of seed, stream and position."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_MEGABATCH = 50  # batches per window of length sorting; larger windows are less random


class Order:
    """Consecutive shuffled passes over a stream.

    It depends only on (seed, stream, pass). So it stays the same after a resume, on any number of machines, and for any
    micro-batch size.
    """

    def __init__(self, stream: str, samples: int, seed: int) -> None:
        self._stream = stream
        self._samples = samples
        self._seed = seed
        self._turn = -1
        self._order: list[int] = []

    def sample_at(self, position: int) -> int:
        """Return the number of the sample at a position of the whole run."""
        turn, place = divmod(position, self._samples)
        if turn != self._turn:
            rng = np.random.default_rng([self._seed, turn, *self._stream.encode()])
            self._turn, self._order = turn, self._pass(rng, turn)
        return self._order[place]

    def _pass(self, rng: np.random.Generator, turn: int) -> list[int]:  # noqa: ARG002
        order: list[int] = rng.permutation(self._samples).tolist()
        return order


class _Sorting(Order):
    """An order that sorts rows by length within batches or windows of them."""

    def __init__(self, stream: str, samples: int, seed: int, length: Callable[[int], int], batch_size: int) -> None:
        super().__init__(stream, samples, seed)
        self._length = length
        self._batch_size = batch_size


class OrderByLength(_Sorting):
    """Passes in which the rows of a batch have similar length, to reduce padding.

    Lengths are sorted only within windows of a shuffled pass, and the batches are shuffled again. So the position of a
    sample does not depend on its length.
    """

    def _pass(self, rng: np.random.Generator, turn: int) -> list[int]:
        shuffled = super()._pass(rng, turn)
        size, window = self._batch_size, self._batch_size * _MEGABATCH
        begin, end = _whole_batches(len(shuffled), turn, size)
        batches: list[list[int]] = []
        for start in range(begin, end, window):
            alike = sorted(shuffled[start : min(start + window, end)], key=self._length)
            batches += [alike[at : at + size] for at in range(0, len(alike), size)]
        middle = [sample for batch in rng.permutation(len(batches)) for sample in batches[batch]]
        return [*shuffled[:begin], *middle, *shuffled[end:]]


class OrderWithinSteps(_Sorting):
    """Passes whose batches are those of `Order`, with the rows of each batch sorted by length.

    Every optimizer step has the same rows as with `Order`, so its gradient differs by rounding only. Micro-batches
    have less padding.
    """

    def _pass(self, rng: np.random.Generator, turn: int) -> list[int]:
        shuffled = super()._pass(rng, turn)
        begin, end = _whole_batches(len(shuffled), turn, self._batch_size)
        batches = (shuffled[at : at + self._batch_size] for at in range(begin, end, self._batch_size))
        middle = [sample for batch in batches for sample in sorted(batch, key=self._length)]
        return [*shuffled[:begin], *middle, *shuffled[end:]]


def _whole_batches(samples: int, turn: int, size: int) -> tuple[int, int]:
    """Return the begin and end of a pass's whole batches; a batch that spans two passes is drawn without sorting."""
    begin = min(-turn * samples % size, samples)
    return begin, begin + (samples - begin) // size * size
