"""The estimate of a run, the document `unmirage.align-plan/1`. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from unmirage.data.overlap import PairOverlap
from unmirage.documents import Document
from unmirage.records import Share, Unwritten

Layout = Literal["single", "replicated", "sharded"]
Kind = Literal["text", "loss", "image"]


@dataclass(frozen=True, slots=True)
class PartParameters:
    """Numbers of parameters of one part of the model, including adapters; shared ones count once.

    Attributes:
        part: "language", "projector" or "vision"; "audio" if the model hears.
        dtypes: number of parameters by dtype.
    """

    part: str
    total: int
    trainable: int
    dtypes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Parameters:
    """Numbers of all and of trained parameters, including adapters, and the share of the latter."""

    total: int
    trainable: int
    share: Share
    parts: tuple[PartParameters, ...]

    @classmethod
    def of(cls, parts: Sequence[PartParameters]) -> Parameters:
        """Return the sums over all parts."""
        total, trainable = sum(part.total for part in parts), sum(part.trainable for part in parts)
        return cls(total, trainable, trainable / total, tuple(parts))


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of each GPU, in bytes, at the largest micro-batch.

    Attributes:
        gpus: number of GPUs.
        layout: "single", "replicated" (DDP: each has everything) or "sharded" (FSDP2, ZeRO-3: weights, gradients and
            optimizer states are distributed).
        weights, gradients: trained weights are float32, and so are the gradients.
        optimizer: AdamW's two float32 moments and its step count.
        reference: frozen copies of the model or of its output layer, whole on each GPU.
        buckets: replicated: buffers of the gradients' reduction; sharded: the layers that are gathered at a time.
        casts: bfloat16 copies of trained weights, which autocast keeps until the backward pass.
        activations: tensors of the micro-batch that autograd saves.
        passing: logits with their gradients, or a recomputed layer, whichever is larger.
        optimizer_step: temporary tensors of the optimizer step, after the activations are freed.
        problem: why the step cannot be split over these GPUs, and all sizes are 0; "" if it can.
        total: the peak, in the backward pass or in the optimizer step; computed from the others.
    """

    gpus: int
    layout: Layout
    weights: int = 0
    gradients: int = 0
    optimizer: int = 0
    reference: int = 0
    buckets: int = 0
    casts: int = 0
    activations: int = 0
    passing: int = 0
    optimizer_step: int = 0
    problem: str = ""
    total: int = 0

    def __post_init__(self) -> None:
        held = self.weights + self.gradients + self.optimizer + self.reference
        backward = self.buckets + self.casts + self.activations + self.passing
        object.__setattr__(self, "total", held + max(backward, self.optimizer_step))


@dataclass(frozen=True, slots=True)
class Disk:
    """One cache on disk, with its number of samples (image features: of pictures) and size in bytes."""

    stream: str
    what: str
    samples: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Time:
    """Duration of the run on `devices` devices.

    Attributes:
        tflops: assumed rate of each device in 10^12 floating-point operations per second, including utilization.
        training_hours: all optimizer steps.
        preparation_hours: filling the caches, on one device.
        problem: why the step cannot be split over these devices, and the hours are 0; "" if it can.
    """

    device: str
    devices: int
    tflops: float
    training_hours: float = 0.0
    preparation_hours: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class StreamLengths:
    """Lengths of a stream's rows in tokens, over all its samples, of which `measured` were encoded."""

    stream: str
    samples: int
    measured: int
    mean_tokens: float
    longest_tokens: int
    mean_loss_tokens: float


@dataclass(frozen=True, slots=True)
class RenderedSample:
    """One row as the model sees it.

    Attributes:
        spans: decoded runs of tokens of one kind, images as "<image ×576>"; not in documents.
        text: all spans, with [[...]] around tokens with loss.
    """

    stream: str
    sample_id: str
    tokens: int
    loss_tokens: int
    spans: Unwritten[tuple[tuple[Kind, str], ...]] = field(default=(), compare=False)
    text: str = ""

    def __post_init__(self) -> None:
        if self.spans:
            text = "".join(f"[[{text}]]" if kind == "loss" else text for kind, text in self.spans)
            object.__setattr__(self, "text", text)


@dataclass(frozen=True, slots=True)
class TooLong:
    """A sample with more tokens than the model supports; training rejects it."""

    stream: str
    sample_id: str
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate(Document):
    """Memory, time and disk that a run needs; sizes are bytes.

    Attributes:
        batch_size: rows of each stream per step.
        positions: maximum tokens of the model; None if its config has none.
        step_tflop, preparation_tflop: 10^12 floating-point operations of a mean step on one device, and of filling all
            caches.
        memory, time: by number of devices and layout, and by device and number.
        samples: some rows of each stream.
        too_long: rows that the model does not support.
        assumptions: one sentence each.
        overlap: overlap of the training and test data.
    """

    FILE: ClassVar[str] = "align-plan.json"
    WRITER: ClassVar[str] = "unmirage align MODEL --dry-run --json"

    schema: Literal["unmirage.align-plan/1"] = "unmirage.align-plan/1"
    model: str
    method: str
    steps: int
    batch_size: int
    positions: int | None
    parameters: Parameters
    lengths: tuple[StreamLengths, ...]
    step_tflop: float
    preparation_tflop: float
    memory: tuple[Memory, ...]
    disk: tuple[Disk, ...]
    time: tuple[Time, ...]
    samples: tuple[RenderedSample, ...]
    too_long: tuple[TooLong, ...]
    assumptions: tuple[str, ...]
    overlap: tuple[PairOverlap, ...] = ()
