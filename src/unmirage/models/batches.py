"""Group queries into batches: queries about the same images together, and prompts of similar length together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import groupby

import torch

from unmirage.records import Query

Group = list[Query]  # queries whose prompts have one beginning up to their last image, or one query without an image

_FIRST = 32
_MOST = 512
_FILLED = 0.85  # share of the accelerator's memory to fill


class Work:
    """Queue of queries that have no response yet."""

    def __init__(self, queries: Iterable[Query]) -> None:
        ordered = sorted(queries, key=lambda query: (query.image is not None, _beginning(query), query.text))
        groups = [list(same) for _, same in groupby(ordered, key=_beginning)]
        groups.sort(key=lambda group: (*batch_rank(group[0]), max(len(query.text) for query in group), group[0].id))
        self._groups = deque(groups)

    def groups(self) -> list[Group]:
        """Return the groups in the order of their batches."""
        return list(self._groups)

    def take(self, rows: int) -> list[Group]:
        """Return the next groups, up to `rows` queries, all with equally many images; [] at the end."""
        batch: list[Group] = []
        while self._groups and rows > 0:
            group = self._groups[0]
            if batch and len(group[0].paths) != len(batch[0][0].paths):
                break
            if len(group) > rows and batch:
                break
            self._groups.popleft()
            if len(group) > rows:
                self._groups.appendleft(group[rows:])
            batch.append(group[:rows])
            rows -= len(batch[-1])
        return batch

    def put_back(self, batch: Sequence[Group]) -> None:
        """Return a batch to the front of the queue."""
        self._groups.extendleft(reversed(batch))


def _beginning(query: Query) -> tuple[str, ...]:
    """Return a key that is equal for queries with the same images, earlier turns and text up to the last image."""
    if query.image is None:
        return (query.id,)
    if not query.context and not query.images:
        return (query.image,)
    placed = query.placed
    return (query.image, repr(query.context), repr(placed), query.text[: placed[-1].at] if placed else "")


def batch_rank(query: Query) -> tuple[bool, int]:
    """Return the rank of a query's batch: images before text alone, and few images before many."""
    return query.image is None, len(query.paths)


class BatchSize:
    """Number of queries per batch: fixed, or grown to what fits in memory. It is halved when memory runs out."""

    def __init__(self, rows: int | None, device: torch.device) -> None:
        self.rows = rows or _FIRST
        self._grows = rows is None and device.type == "cuda"
        self._device = device
        self._before = 0

    def start(self) -> None:
        """Record the memory in use before a batch."""
        if self._grows:
            torch.cuda.reset_peak_memory_stats(self._device)
            self._before = torch.cuda.memory_allocated(self._device)

    def succeeded(self, rows: int) -> None:
        """Grow to what fits in memory, estimated from the batch of `rows`; at most fourfold."""
        if self._grows and rows == self.rows:
            each = (torch.cuda.max_memory_allocated(self._device) - self._before) / rows
            room = _FILLED * torch.cuda.get_device_properties(self._device).total_memory - self._before
            self.rows = max(self.rows, min(4 * self.rows, int(room / max(each, 1.0)), _MOST))

    def failed(self, rows: int) -> bool:
        """Halve the size for all later batches, after `rows` did not fit; return False if one query does not fit."""
        self._grows = False
        self.rows = max(1, min(rows, self.rows) // 2)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        return rows > 1


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error means that the accelerator or the CPU is out of memory."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
