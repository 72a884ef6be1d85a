"""Count the floating-point operations of a run's passes, by running its code on the `meta` device.

PyTorch's formulas (`torch.utils.flop_counter`) count matrix products, convolutions and attention, forward and backward:
two operations per multiplication.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map_only
from torch.utils.flop_counter import FlopCounterMode

from unmirage.align.config import AlignConfig
from unmirage.align.dataset import PassCollator, Row, Rows
from unmirage.align.estimate.lengths import Load, Size
from unmirage.align.features import can_be_kept, look, shown
from unmirage.align.forward import PassBatch, raw_outputs, spoken
from unmirage.align.lora import set_checkpointing
from unmirage.align.methods import make_method
from unmirage.align.module import AlignModule, count
from unmirage.align.objective import Need, StreamName
from unmirage.align.parts import adapters_alone
from unmirage.align.plan import keeps_reference, needs_reference
from unmirage.align.reference import KEPT, Reference
from unmirage.errors import UserError, one_line

_META = torch.device("meta")
_SPOKEN = frozenset[Need]({"log_probs", "logits"})


class Work:
    """Counts the operations of passes over a copy of the skeleton `model`, whose trainable weights have been chosen.

    Counts are linear in a few numbers of a load (`_traits`). If these numbers are a linear combination of those of
    counted loads, the count is the same combination of their counts; else the load is counted.
    """

    def __init__(
        self, model: Any, config: AlignConfig, collator: PassCollator, rows: Mapping[StreamName, Rows]
    ) -> None:
        self._config, self._collator, self._rows = config, collator, rows
        self._method = make_method(config.method)
        self._keeps = keeps_reference(self._method, config)
        # One dtype for all: it does not affect the count, and products of two dtypes would need autocast.
        self._model = copy.deepcopy(model).float().train()
        set_checkpointing(self._model, config.checkpointing)
        reference = Reference(
            self._model,
            config.method.layer,
            config.optimizations,
            adapted=adapters_alone(config),
            cached=self._keeps or not needs_reference(self._method, rows),
        )
        self._module = AlignModule(self._model, self._method, reference, config.optimizations)
        self._width = self._model.get_input_embeddings().weight.shape[1]
        self._looks = config.optimizations.cache_images and can_be_kept(self._model)
        self._features: dict[tuple[int, int], Tensor] = {}
        self._counted: dict[Hashable, tuple[list[Tensor], list[int]]] = {}

    def step(self, load: Load) -> float:
        """Return the operations of one training pass, forward and backward, including the reference."""
        losses = Counter[Hashable]()
        for name, sizes in load.items():
            losses[self._spoken(name)] += sum(size.loss_tokens for size in sizes)

        return self._of(tuple(load), load, losses.values(), self._step)

    def answer(self, name: StreamName, size: Size, need: Need) -> float:
        """Return the operations of computing one row's cached reference outputs."""

        def run(batch: PassBatch) -> None:
            layer, optimizations = self._config.method.layer, self._config.optimizations
            with shown(self._model, batch.features):
                raw = raw_outputs(self._model, batch, {name: frozenset({need})}, layer, optimizations)
            if need == "log_probs":  # logits are cached as the hidden states before them
                spoken(self._model, batch, name, raw[name])

        return self._of(need, {name: [size]}, [size.loss_tokens], run)

    def look(self, name: StreamName, size: Size) -> float:
        """Return the operations of computing the features of one row's picture."""
        return self._of("look", {name: [size]}, [], lambda batch: look(self._model, batch))

    @torch.enable_grad()
    def _step(self, batch: PassBatch) -> None:
        loss = torch.stack(list(self._module(batch, count([batch])).values())).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        self._model.zero_grad()

    def _of(self, what: Hashable, load: Load, losses: Iterable[int], run: Callable[[PassBatch], object]) -> float:
        # Without a picture, no gradient reaches the projector.
        key = (what, any(size.tiles for sizes in load.values() for size in sizes))
        traits, (known, found) = _traits(load, losses), self._counted.setdefault(key, ([], []))
        if known:
            basis = torch.stack(known, dim=1)
            shares = torch.linalg.lstsq(basis, traits[:, None], driver="gelsd").solution[:, 0]
            if torch.dist(basis @ shares, traits) <= 1e-9 * traits.norm():
                return float(shares @ torch.tensor(found, dtype=torch.float64))
        batch = self._collator.batch({name: [self._row(name, size) for size in sizes] for name, sizes in load.items()})
        with torch.no_grad(), _Hollow() as counter, _flash_attention(), self._plannable():
            run(batch)
        known.append(traits)
        found.append(counter.total)
        return float(counter.total)

    @contextmanager
    def _plannable(self) -> Iterator[None]:
        """Turn errors of models whose forward pass needs the values of weights or of images into one line."""
        try:
            yield
        except UserError:
            raise
        except (AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
            raise UserError(
                f"model type '{self._model.config.model_type}': its operations cannot be counted without weights "
                f"({type(error).__name__}: {one_line(error, 160)}); train without --dry-run"
            ) from error

    def _spoken(self, name: StreamName) -> Hashable:
        """Return what the output layer computes on a stream, which determines the cost of a loss token."""
        needs = self._method.needs(name)
        return bool(self._method.wants(name) & _SPOKEN), bool(needs & ({"logits"} if self._keeps else _SPOKEN))

    def _row(self, name: StreamName, size: Size) -> Row:
        """Return a row with cached outputs that have shapes but no content."""
        example = self._rows[name].samples[size.row]
        n, m = size.loss_tokens, size.places
        shapes: dict[Need, tuple[int, ...]] = {
            "log_probs": (n,),
            "logits": (n, self._width),
            "hidden": (m, self._width),
        }
        needs = self._method.needs(name) if self._keeps else ()
        cached = {KEPT[need]: torch.empty(shapes[need], device=_META) for need in needs}
        features = None
        if self._looks and size.tiles:
            key = (size.tiles, size.tile_tokens)
            if key not in self._features:
                with _Hollow(), self._plannable():
                    self._features[key] = look(self._model, self._collator.batch({name: [Row(example)]}))
            features = self._features[key]
        return Row(example, cached, features)


def _traits(load: Load, losses: Iterable[int]) -> Tensor:
    """Return the numbers of a load in which its operations are linear, in thousands; `losses`: loss tokens by cost."""
    sizes = [size for stream in load.values() for size in stream]
    rows, tokens = len(sizes), max(size.tokens for size in sizes) / 1000
    tower = [(size.tiles, size.tile_tokens / 1000) for size in sizes]
    numbers = (
        rows * tokens,
        rows * tokens**2,  # attention
        sum(size.image_tokens for size in sizes) / 1000,
        sum(tiles * each for tiles, each in tower),
        sum(tiles * each**2 for tiles, each in tower),
        *(number / 1000 for number in losses),
    )
    return torch.tensor(numbers, dtype=torch.float64)


class _Hollow(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Computes tensors that depend on no weight, such as masks and positions, and only the shapes of all others.

    Models read the content of their inputs, for example the positions of image tokens.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0
        self._formulas = FlopCounterMode(display=False).flop_registry  # the mode itself takes twice the time

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        tensors = [one for one in tree_iter((args, kwargs)) if isinstance(one, Tensor)]
        hollow = any(one.is_meta for one in tensors)
        if "device" in kwargs:  # overrides the model's choice, such as the device of its weights
            kwargs["device"] = _META if hollow else torch.device("cpu")
        if not hollow:
            return func(*args, **kwargs)
        if func is torch.ops.aten.masked_select.default:
            return args[0].new_empty(int(torch.broadcast_to(args[1], args[0].shape).sum()))
        if not all(one.is_meta for one in tensors):
            if func is torch.ops.aten.index.Tensor:
                args = (args[0], [one for index in args[1] for one in _numbers(index)])
            args, kwargs = tree_map_only(Tensor, lambda one: one if one.is_meta else one.to(_META), (args, kwargs))
        out = func(*args, **kwargs)
        formula = self._formulas.get(func._overloadpacket)
        self.total += 0 if formula is None else formula(*args, **kwargs, out_val=out)
        return out


def _numbers(index: Tensor | None) -> list[Tensor | None]:
    """Return a boolean index as integer indices, one per dimension, of the right size but without content."""
    if index is None or index.dtype is not torch.bool:
        return [index]
    return [torch.empty(int(index.sum()), dtype=torch.long, device=_META)] * index.ndim


@contextmanager
def _flash_attention() -> Iterator[None]:
    """Compute attention with one kernel, as on a GPU; on the `meta` device, PyTorch would use several operations.

    The backward pass has five products, the forward pass two (Dao, arXiv 2307.08691). All pairs of tokens count,
    because kernels with a mask compute all of them.
    """
    original = F.scaled_dot_product_attention

    def attention(query: Tensor, key: Tensor, value: Tensor, *arguments: Any, **keywords: Any) -> Tensor:
        if not query.is_meta:  # from another thread
            return original(query, key, value, *arguments, **keywords)
        heads = query.shape[1] // key.shape[1]
        if heads > 1:
            key, value = key.repeat_interleave(heads, dim=1), value.repeat_interleave(heads, dim=1)
        size = value.shape[-1]
        width = max(size, query.shape[-1])
        if size != query.shape[-1]:  # kernels have one width for all (DeepSeek-V3 has two)
            query, key, value = (F.pad(one, (0, width - one.shape[-1])) for one in (query, key, value))
        out: Tensor = torch.ops.aten._scaled_dot_product_flash_attention(query, key, value)[0]
        return out if size == width else out[..., :size]

    # A `TorchFunctionMode` would be suspended while a backward pass recomputes checkpointed layers.
    F.scaled_dot_product_attention = attention
    try:
        yield
    finally:
        F.scaled_dot_product_attention = original
