"""The cache of the batched generation loop: what a decoder keeps of the tokens it has read, row by row.

Attention layers keep keys and values of all tokens; linear-attention and convolution layers (Qwen3.5, LFM2) keep one
state, whatever the length. Rows can be repeated for queries that share a prefix, and dropped once they have ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import (
    Cache,
    DummyLayer,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionCacheLayerMixin,
    LinearAttentionLayer,
)

_BLOCK = 64


class RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers is untyped
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
        if self.is_initialized:
            self._rooms = (self.keys.index_select(0, rows), self.values.index_select(0, rows))
            self.keys, self.values = self._rooms

    def taken(self, rows: Tensor) -> RoomyLayer:
        """Return a layer of its own with these rows."""
        layer = RoomyLayer()
        if self.is_initialized:
            layer.update(self.keys.index_select(0, rows), self.values.index_select(0, rows))
        return layer

    @staticmethod
    def joined(layers: Sequence[RoomyLayer], prefix: int, widest: int) -> RoomyLayer:
        """Return the rows of all layers, with room after the first `prefix` tokens up to `widest` tokens in all."""
        whole = RoomyLayer()
        if layers[0].is_initialized:
            keys, values = ([_apart(states, prefix, widest) for states in both] for both in zip(*(
                (layer.keys, layer.values) for layer in layers), strict=True))  # fmt: skip
            whole.update(torch.cat(keys), torch.cat(values))
        return whole


class StateLayer(LinearAttentionLayer):  # type: ignore[misc]
    """The states of a linear-attention or convolution layer."""

    def take(self, rows: Tensor) -> None:
        """Keep `rows` in this order; a row may appear several times."""
        self.reorder_cache(rows)

    def taken(self, rows: Tensor) -> StateLayer:
        """Return a layer of its own with these rows."""
        layer = StateLayer(self.number_of_states)
        layer._fill([self], rows)
        return layer

    @staticmethod
    def joined(layers: Sequence[StateLayer], _prefix: int, _widest: int) -> StateLayer:
        """Return the rows of all layers."""
        whole = StateLayer(layers[0].number_of_states)
        whole._fill(layers, None)
        return whole

    def _fill(self, layers: Sequence[StateLayer], rows: Tensor | None) -> None:
        first = layers[0]
        for kind in ("conv_states", "recurrent_states"):
            for index, state in getattr(first, kind).items():
                if state is not None:
                    whole = torch.cat([getattr(layer, kind)[index] for layer in layers])
                    getattr(self, kind)[index] = whole if rows is None else whole.index_select(0, rows)
        for kind in (
            "is_conv_states_initialized", "is_recurrent_states_initialized", "has_previous_state", "conv_kernel_size",
        ):  # fmt: skip
            setattr(self, kind, dict(getattr(first, kind)))
        for kind in ("device", "dtype"):
            setattr(self, kind, getattr(first, kind))


class SharedLayer(DummyLayer):  # type: ignore[misc]
    """A layer without a cache of its own: it reads another layer's (Gemma 3n), or does not attend."""

    def take(self, rows: Tensor) -> None:
        """Do nothing."""

    def taken(self, _rows: Tensor) -> SharedLayer:
        """Return itself."""
        return self

    @staticmethod
    def joined(layers: Sequence[SharedLayer], _prefix: int, _widest: int) -> SharedLayer:
        """Return the first one."""
        return layers[0]


# By the library's class of the same layer. Windows need no class: the attention mask applies them.
_LAYERS: dict[type, type] = {
    DynamicLayer: RoomyLayer,
    DynamicSlidingWindowLayer: RoomyLayer,
    LinearAttentionLayer: StateLayer,
    DummyLayer: SharedLayer,
}


class KeyValues(Cache):  # type: ignore[misc]
    """All layers of a decoder. It never drops tokens: the attention mask applies sliding windows."""

    def __init__(self, layers: list[Any]) -> None:
        super().__init__(layers=layers)

    @classmethod
    def of(cls, model: Any) -> KeyValues:
        """Return an empty cache for a model.

        Raises:
            ValueError: `why_not_cached` gives the reason.
        """
        return cls([_layer(one) for one in _library_layers(model)])

    @property
    def keeps_states(self) -> bool:
        """Whether a layer keeps a state: it would read padding between a prefix and what follows it."""
        return any(isinstance(layer, StateLayer) for layer in self.layers)

    def take(self, rows: Tensor) -> None:
        """Keep `rows` of the batch in this order; a row may appear several times."""
        for layer in self.layers:
            layer.take(rows)

    def taken(self, rows: Tensor) -> KeyValues:
        """Return a cache of its own with these rows."""
        return KeyValues([layer.taken(rows) for layer in self.layers])

    @staticmethod
    def joined(caches: Sequence[KeyValues], prefix: int, widest: int) -> KeyValues:
        """Return the rows of all caches, whose first `prefix` tokens are as wide, padded behind them to `widest`."""
        layers = zip(*(cache.layers for cache in caches), strict=True)
        return KeyValues([type(same[0]).joined(same, prefix, widest) for same in layers])


def keeps_states(model: Any) -> bool:
    """Return whether a decoder layer keeps a state instead of keys and values (Qwen3.5, LFM2)."""
    try:
        return any(isinstance(layer, LinearAttentionCacheLayerMixin) for layer in _library_layers(model))
    except (AttributeError, KeyError, TypeError, ValueError):
        return False  # the library has no cache for it at all


def why_not_cached(model: Any) -> str:
    """Return why this cache cannot hold what a model's decoder keeps; "" if it can."""
    try:
        kinds = [type(layer) for layer in _library_layers(model)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return f"the library has no cache for its layers ({type(error).__name__}: {error})"
    unknown = sorted({kind.__name__ for kind in kinds if kind not in _LAYERS})
    return f"its layers keep a cache of an unknown kind ({', '.join(unknown)})" if unknown else ""


def _library_layers(model: Any) -> list[Any]:
    """Return the library's own cache layers for a model."""
    layers: list[Any] = DynamicCache(config=model.config.get_text_config(decoder=True)).layers
    return layers


def _layer(library: Any) -> Any:
    kind = _LAYERS[type(library)]
    return StateLayer(library.number_of_states) if kind is StateLayer else kind()


def _grown(room: Tensor, used: int, needed: int) -> Tensor:
    shape = [*room.shape]
    shape[-2] = needed + _BLOCK
    # Zeros, not `empty`: uninitialized memory can hold NaN, and NaN times a zero attention weight is still NaN.
    larger = room.new_zeros(shape)
    larger[..., :used, :] = room[..., :used, :]
    return larger


def _apart(states: Tensor, prefix: int, widest: int) -> Tensor:
    """Return keys or values (rows, heads, tokens, size) with zeros between prefix and the rest."""
    gap = states.new_zeros((*states.shape[:-2], widest - states.shape[-2], states.shape[-1]))
    return torch.cat([states[..., :prefix, :], gap, states[..., prefix:, :]], dim=-2)
