"""Estimate memory, time and disk of a run before it starts."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from unmirage.align.arguments import cut
from unmirage.align.config import AlignConfig
from unmirage.align.dataset import PairedStreams, Plan
from unmirage.align.estimate.blocks import shape_of
from unmirage.align.estimate.flops import Work
from unmirage.align.estimate.lengths import Load, Size, SizedRows, position_limit, sized
from unmirage.align.estimate.memory import States, Widths, count_parameters, states
from unmirage.align.estimate.passes import Passes
from unmirage.align.estimate.result import Disk, Estimate, Layout, Memory, StreamLengths, Time, TooLong
from unmirage.align.estimate.skeleton import Skeleton, Source, rendered
from unmirage.align.features import can_be_kept
from unmirage.align.lora import choose_trainable
from unmirage.align.methods import make_method
from unmirage.align.objective import Need, StreamName
from unmirage.align.plan import (
    AlignData,
    check_data,
    keeps_reference,
    leaves_out_sinks,
    make_collator,
    make_dataset,
    make_rows,
    needs_reference,
    step_count,
    stream_samples,
    suited,
)
from unmirage.align.reference import KEPT
from unmirage.errors import UserError

UTILIZATION = 0.40  # share of the peak that training of models of this size reaches (PaLM, arXiv 2204.02311, table 3)


# Peak rates of data sheets: dense bfloat16 products, in 10^12 operations per second.
PEAK_TFLOPS = {"A100": 312.0, "H100": 989.5, "H200": 989.5}
GPU_COUNTS = (1, 2, 4, 8)
_SHARED: tuple[Layout, ...] = ("replicated", "sharded")
_LAYOUTS: list[tuple[int, Layout]] = [(1, "single"), *((gpus, layout) for gpus in GPU_COUNTS[1:] for layout in _SHARED)]
_FLOAT32 = 4  # bytes
_STEPS = 100  # steps to plan row by row, spread evenly over the run; their mean stands for all


def estimate(source: Source, data: AlignData, config: AlignConfig, measure: int = 400) -> Estimate:
    """Return what a run needs, without training and without reading weights.

    Args:
        source: a model directory, a hub id, or a loaded model, which is not changed.
        data, config: data and settings of the run.
        measure: maximum samples of each stream to encode; the size of any other sample is that of the encoded one with
            the most similar text length.

    Raises:
        UserError: model, data and settings do not match.
    """
    if config.precision == "auto":
        config = config.model_copy(update={"precision": "bfloat16"})  # as on a GPU, also if this machine has none
    config = suited(config, data)
    skeleton = Skeleton.of(source, config.thinking)
    model, processor = skeleton.model, skeleton.processor
    method = make_method(config.method)
    check_data(method, model, data, config)
    with torch.device("meta"):  # for the adapter
        choose_trainable(model, config)
    shape = shape_of(model)
    collator = make_collator(model, processor, method, config, one_pass=False)
    streams = stream_samples(method, data, config.seed)
    encoded = make_rows(streams, processor, data.images, config)
    rows = {name: sized(name, one, shape, collator, measure) for name, one in encoded.items()}
    steps = step_count(data, config)
    dataset = make_dataset(dict(rows), steps, config)
    passes, work = Passes(shape, method, config), Work(model, config, collator, encoded)
    widths = Widths.of(torch.float32 if config.precision == "float32" else torch.bfloat16, shape.embedding_dtype)
    live = needs_reference(method, streams) and not keeps_reference(method, config)
    reached = max(passes.reached(passes.wanted(names)) for names in collator.plan)
    run = _Run(passes, work, collator.plan, dataset, steps, config, widths)
    caches = list(run.caches(rows, looks=config.optimizations.cache_images and can_be_kept(model)))
    filling = sum(operations for _, operations in caches)
    limit = position_limit(model)
    return Estimate(
        model=skeleton.name,
        method=config.method.name,
        steps=steps,
        batch_size=config.batch_size,
        positions=limit,
        parameters=count_parameters(model),
        lengths=tuple(_lengths(name, one.sizes, method.wants(name)) for name, one in rows.items()),
        step_tflop=run.step(config.batch_size) / 1e12,
        preparation_tflop=filling / 1e12,
        memory=tuple(run.memory(states(model, config, reached, live=live))),
        disk=tuple(disk for disk, _ in caches),
        time=tuple(run.time(filling)),
        samples=tuple(
            one
            for name in rows
            for one in rendered(name, encoded[name], streams[name], processor, collator, method.wants(name))
        ),
        too_long=tuple(
            TooLong(name, streams[name][index].id, size.tokens)
            for name, one in rows.items()
            for index, size in enumerate(one.sizes)
            if limit is not None and size.measured and size.tokens > limit
        ),
        assumptions=_assumptions(config, rows),
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """A run, split over devices."""

    passes: Passes
    work: Work
    plan: Plan
    dataset: PairedStreams
    steps: int
    config: AlignConfig
    widths: Widths

    def micro_batches(self, micro: int) -> Iterator[list[Load]]:
        """Yield the passes of micro-batches of `micro` rows, over some of the steps."""
        batch, count = self.config.batch_size, min(self.steps, _STEPS)
        for number in range(count):
            first = (number * self.steps // count) * batch
            for start in range(first, first + batch, micro):
                items = [self.dataset[index] for index in range(start, start + micro)]
                yield [{name: [_size(item[name]) for item in items] for name in names} for names in self.plan]

    def step(self, micro: int) -> float:
        """Return the floating-point operations of a mean step."""
        loads = (load for loads in self.micro_batches(micro) for load in loads)
        return sum(map(self.work.step, loads)) / min(self.steps, _STEPS)

    def caches(self, rows: dict[StreamName, SizedRows], *, looks: bool) -> Iterator[tuple[Disk, float]]:
        """Yield each cache that `align.reference_cache.Memory` fills, with the operations of filling it row by row.

        Only rows that the run uses count. `looks`: image features are cached.
        """
        method, shape = self.passes.method, self.passes.shape
        for name, stream in rows.items():
            drawn = [stream.sizes[index] for index in self.dataset.drawn(name)]
            first = stream.samples.first_shown(self.dataset.drawn(name))  # each picture once
            pictured = [stream.sizes[index] for index in sorted(set(first.values()))]
            if looks and pictured and name != "prefer":  # shares those of "forget", which has the same pictures
                # Layer norms return float32, also under bfloat16 autocast on a GPU, and so does the residual stream.
                numbers = sum(size.tiles * size.tile_tokens for size in pictured) * shape.vision[-1].width
                disk = Disk(name, "image features", len(pictured), numbers * _FLOAT32)
                yield disk, sum(self.work.look(name, size) for size in pictured)
            if leaves_out_sinks(name, method, self.config):
                disk = Disk(name, "squares", len(drawn), sum(size.places for size in drawn) * _FLOAT32)
                yield disk, sum(self.work.answer(name, size, "hidden") for size in drawn)
            for need in sorted(method.needs(name)) if keeps_reference(method, self.config) else ():
                taken = sum(self._said(size, need) for size in drawn)
                disk = Disk(name, KEPT[need].replace("_", "-"), len(drawn), taken)
                yield disk, sum(self.work.answer(name, size, need) for size in drawn)

    def _said(self, size: Size, need: Need) -> int:
        """Return the bytes of a row's cached reference output."""
        if need == "log_probs":
            return size.loss_tokens * _FLOAT32
        places = size.loss_tokens if need == "logits" else size.places
        wide = _FLOAT32 if need == "logits" and self.passes.shape.final_norm else 0
        return places * self.passes.shape.width * max(self.widths.residual, wide)

    def memory(self, whole: States) -> Iterator[Memory]:
        """Yield the memory of each GPU, by number of GPUs and layout."""
        for gpus, layout in _LAYOUTS:
            micro, problem = _cut(self.config, gpus)
            yield Memory(gpus, layout, problem=problem) if problem else self._memory(whole, gpus, layout, micro)

    def _memory(self, whole: States, gpus: int, layout: Layout, micro: int) -> Memory:
        held = [self.passes.held(load, self.widths) for loads in self.micro_batches(micro) for load in loads]
        largest = max(held, key=lambda one: one.saved + one.casts + one.passing)
        share = gpus if layout == "sharded" else 1
        buckets = {"single": 0, "replicated": whole.gradients, "sharded": self._gathered()}[layout]
        return Memory(
            gpus=gpus,
            layout=layout,
            weights=math.ceil(whole.weights / share),
            gradients=math.ceil(whole.gradients / share),
            optimizer=math.ceil(whole.optimizer / share),
            reference=whole.reference,
            buckets=buckets,
            casts=0 if layout == "sharded" else round(largest.casts),
            activations=round(largest.saved),
            passing=round(largest.passing),
            optimizer_step=math.ceil(whole.step / share),
        )

    def _gathered(self) -> int:
        """Return the bytes that are gathered at a time: two layers, and the weights outside of layers."""
        shape = self.passes.shape
        layer = max(block.weights for block in (*shape.decoder, *shape.vision))
        return (2 * layer + shape.root) * self.widths.arithmetic

    def time(self, filling: float) -> Iterator[Time]:
        """Yield the hours on GPUs and on this machine's CPU; `filling`: operations of filling the caches."""
        for devices in GPU_COUNTS:
            micro, problem = _cut(self.config, devices)
            operations = 0.0 if problem else self.step(micro) * self.steps
            for gpu, peak in PEAK_TFLOPS.items():
                rate = peak * 1e12 * UTILIZATION
                yield _time(gpu, devices, rate, operations, filling, problem)
        micro, _ = _cut(self.config, 1)
        yield _time("CPU (this machine)", 1, matmul_rate(), self.step(micro) * self.steps, filling, "")


def _size(row: object) -> Size:
    assert isinstance(row, Size)
    return row


def _cut(config: AlignConfig, devices: int) -> tuple[int, str]:
    """Return the rows of a micro-batch on each device; or 0, and why the step cannot be split."""
    try:
        return cut(config, devices)[0], ""
    except UserError as error:
        return 0, str(error)


def _time(device: str, devices: int, rate: float, work: float, before: float, problem: str) -> Time:
    if problem:
        return Time(device, devices, rate / 1e12, problem=problem)
    return Time(device, devices, rate / 1e12, work / devices / rate / 3600, before / rate / 3600)


def _lengths(name: StreamName, sizes: Sequence[Size], wants: frozenset[Need]) -> StreamLengths:
    tokens = [size.tokens for size in sizes]
    # Representations count on query and answer, or on every token: both include the answer.
    loss_tokens = [size.places if "hidden" in wants else size.loss_tokens for size in sizes]
    return StreamLengths(
        stream=name,
        samples=len(sizes),
        measured=sum(size.measured for size in sizes),
        mean_tokens=sum(tokens) / len(sizes),
        longest_tokens=max(tokens),
        mean_loss_tokens=sum(loss_tokens) / len(sizes),
    )


def _assumptions(config: AlignConfig, rows: dict[StreamName, SizedRows]) -> tuple[str, ...]:
    arithmetic = "float32" if config.precision == "float32" else "bfloat16"
    peaks = ", ".join(f"{gpu} {peak:g}" for gpu, peak in PEAK_TFLOPS.items())
    said = [
        f"GPUs compute in {arithmetic}; what trains is held in float32, the rest as the checkpoint stores it.",
        f"GPU hours: {UTILIZATION:.0%} of the peak in dense bfloat16 products ({peaks} TFLOP/s); "
        "reading data, saving and communication are not counted.",
        "CPU hours: a rough estimate, at the rate of float32 products measured just now on this machine.",
        "Work: PyTorch's count of matrix products, convolutions and attention (over the whole square of tokens); "
        f"padding as rows are dealt, over {_STEPS} steps at most.",
        "Memory: without the CUDA context (about 0.5 GB) and without what the allocator loses to fragments.",
        "Sharded: products in bfloat16 on gathered layers; the reference's copy, if any, is whole on each GPU.",
        "Caches are filled by one device.",
    ]
    part = [name for name, one in rows.items() if not all(size.measured for size in one.sizes)]
    if part:
        said.append(f"Lengths of {', '.join(part)}: measured on some samples, taken from like ones for the others.")
    return tuple(said)


def matmul_rate(size: int = 1024, seconds: float = 0.3) -> float:
    """Measure this machine's operations per second in float32 products of `size` x `size` matrices on the CPU."""
    left = torch.ones(size, size)
    torch.mm(left, left)  # the first product is slower
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        torch.mm(left, left)
        done += 1
    return done * 2 * size**3 / (time.perf_counter() - start)
