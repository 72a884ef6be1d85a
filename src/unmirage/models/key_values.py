"""Key-value cache of a batch during generation, with room for new tokens and row selection.

It has one row per image at first, and then one row per query.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

_BLOCK = 64


class _RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers is untyped
    """A cache layer with preallocated space, so that a new token is written in place without copying the cache."""

    _used = 0

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Write the new keys and values (rows, heads, tokens, size), and return all cached ones."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._rooms = (key_states[..., :0, :], value_states[..., :0, :])
        start, end = self._used, self._used + key_states.shape[-2]
        if end > self._rooms[0].shape[-2]:
            self._rooms = (_grown(self._rooms[0], start, end), _grown(self._rooms[1], start, end))
        for room, states in zip(self._rooms, (key_states, value_states), strict=True):
            room[..., start:end, :] = states
        self._used = end
        self.keys, self.values = (room[..., :end, :] for room in self._rooms)
        return self.keys, self.values

    def take(self, rows: Tensor) -> None:
        """Keep `rows` in this order; a row may appear several times."""
        self._rooms = (self.keys.index_select(0, rows), self.values.index_select(0, rows))
        self.keys, self.values = self._rooms


class KeyValues(Cache):  # type: ignore[misc]
    """All layers of a decoder. It never drops tokens: the attention mask applies sliding windows."""

    def __init__(self) -> None:
        super().__init__(layer_class_to_replicate=_RoomyLayer)

    def take(self, rows: Tensor) -> None:
        """Keep `rows` of the batch in this order; a row may appear several times."""
        for layer in self.layers:
            layer.take(rows)


def _grown(room: Tensor, used: int, needed: int) -> Tensor:
    shape = [*room.shape]
    shape[-2] = needed + _BLOCK
    # Zeros, not `empty`: uninitialized memory can hold NaN, and NaN times a zero attention weight is still NaN.
    larger = room.new_zeros(shape)
    larger[..., :used, :] = room[..., :used, :]
    return larger
