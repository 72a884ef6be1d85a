"""What the caches of a run take on disk, and the work of filling them."""

from __future__ import annotations

from dataclasses import dataclass

from unmirage.align.config import AlignConfig
from unmirage.align.estimate.activations import Widths
from unmirage.align.estimate.blocks import Shape
from unmirage.align.estimate.lengths import Size, SizedRows
from unmirage.align.estimate.passes import Costs
from unmirage.align.estimate.result import Disk
from unmirage.align.objective import Need, StreamName
from unmirage.align.plan import keeps_reference
from unmirage.align.reference import KEPT
from unmirage.align.streams import PairedStreams

_FLOAT32 = 4


@dataclass(frozen=True, slots=True)
class Caches:
    """All caches: what they take, and the floating-point operations of filling them."""

    disk: tuple[Disk, ...]
    work: float


def caches(
    costs: Costs, rows: dict[StreamName, SizedRows], dataset: PairedStreams, config: AlignConfig, widths: Widths
) -> Caches:
    """Return the caches that `align.remember.Memory` would fill for the rows that the run will see."""
    found: list[Disk] = []
    work = 0.0
    for name, stream in rows.items():
        drawn = [stream.sizes[index] for index in dataset.drawn(name)]
        first = stream.samples.first_shown(dataset.drawn(name))  # a picture is looked at once
        pictured = [stream.sizes[index] for index in sorted(set(first.values()))]
        if costs.features and pictured:
            taken = sum(_features(size, costs.shape) for size in pictured)
            found.append(Disk(name, "image features", len(pictured), taken))
            work += sum(_looking(size, costs, name) for size in pictured)
        for need in sorted(costs.method.needs(name)) if keeps_reference(costs.method, config) else ():
            taken = sum(_said(size, need, costs.shape, widths) for size in drawn)
            found.append(Disk(name, KEPT[need].replace("_", "-"), len(drawn), taken))
            work += sum(
                costs.forward({name: [size]}, {name: frozenset({need})}, look=not costs.features) for size in drawn
            )
    return Caches(tuple(found), work)


def _features(size: Size, shape: Shape) -> int:
    # Layer normalisation gives float32, under bfloat16 autocast on a GPU too, and so does the residual stream after it.
    return size.tiles * size.tile_tokens * shape.vision[-1].width * _FLOAT32


def _looking(size: Size, costs: Costs, name: StreamName) -> float:
    """Return the work of looking at a picture: the tower, the projector and one layer of the decoder."""
    load = {name: [size]}
    whole = costs.forward(load, {name: frozenset({"hidden"})}, look=True)
    layers = costs.run(frozenset({"hidden"}))
    without = costs.forward(load, {name: frozenset({"hidden"})}, look=False)
    return whole - without + without / layers


def _said(size: Size, need: Need, shape: Shape, widths: Widths) -> int:
    if need == "log_probs":
        return size.loss_tokens * _FLOAT32
    places = size.loss_tokens if need == "logits" else size.places
    wide = max(widths.residual, _FLOAT32 if need == "logits" and shape.final_norm else 0)
    return places * shape.width * wide
