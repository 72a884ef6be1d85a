"""What a plan of a run says, as records with their units, and as one JSON document."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

SCHEMA = "unmirage.align-plan/1"
Layout = Literal["single", "replicated", "sharded"]
Kind = Literal["text", "loss", "image"]


@dataclass(frozen=True, slots=True)
class PartParameters:
    """Parameters of one part of the model, adapters included.

    Attributes:
        part: "language", "projector" or "vision".
        total: number of them, shared ones once.
        trainable: how many train.
        dtypes: how many are held in which type.
    """

    part: str
    total: int
    trainable: int
    dtypes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of each GPU, in bytes, at the largest micro-batch.

    Attributes:
        gpus: how many there are.
        layout: "single", "replicated" (DDP: each holds everything) or "sharded" (FSDP2, ZeRO-3: weights, gradients
            and optimiser states are dealt out).
        weights: as held: what trains in float32.
        gradients: float32, of the weights that get one.
        optimizer: AdamW's two float32 moments, and its count of steps.
        reference: frozen copies of the model or of its output layer, whole on each GPU.
        buckets: replicated: in which gradients travel; sharded: the layers that are gathered at a time.
        casts: bfloat16 copies of trained weights, which autocast keeps until the backward pass.
        activations: what autograd saves of the micro-batch.
        passing: logits with their gradients, or the layer that is computed again, whichever is more.
        optimizer_step: temporary tensors of the optimiser's step, when the activations are gone.
        problem: why the step cannot be cut for so many GPUs; "" where it can. All sizes are then 0.
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

    @property
    def total(self) -> int:
        """The peak, in bytes: in the backward pass, or in the optimiser's step."""
        held = self.weights + self.gradients + self.optimizer + self.reference
        backward = self.buckets + self.casts + self.activations + self.passing
        return held + max(backward, self.optimizer_step)


@dataclass(frozen=True, slots=True)
class Disk:
    """One cache on disk: of which stream, of what, of how many samples (image features: pictures), in bytes."""

    stream: str
    what: str
    samples: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Time:
    """How long the run takes on some devices.

    Attributes:
        device: its name.
        devices: how many of them.
        tflops: assumed rate of each, in 10^12 floating-point operations a second, utilisation included.
        training_hours: of all optimiser steps.
        preparation_hours: of filling the caches, which one device does.
        problem: why the step cannot be cut for so many; "" where it can. The hours are then 0.
    """

    device: str
    devices: int
    tflops: float
    training_hours: float = 0.0
    preparation_hours: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class StreamLengths:
    """Lengths of a stream's rows, in tokens, over all its samples; `measured` of them were encoded."""

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
        stream: of which it is.
        sample_id: of the sample.
        tokens: number of tokens.
        loss_tokens: how many carry loss.
        spans: runs of tokens of one kind, decoded; those of an image as "<image ×576>".
    """

    stream: str
    sample_id: str
    tokens: int
    loss_tokens: int
    spans: tuple[tuple[Kind, str], ...]

    @property
    def text(self) -> str:
        """All of it as text, with [[...]] around what carries loss."""
        return "".join(f"[[{text}]]" if kind == "loss" else text for kind, text in self.spans)


@dataclass(frozen=True, slots=True)
class TooLong:
    """A sample of more tokens than the model has positions for; training refuses it."""

    stream: str
    sample_id: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will need, before it is begun.

    Attributes:
        model: its name.
        method: of the run.
        steps: optimiser steps.
        batch_size: rows of each stream in a step.
        positions: tokens that the model has positions for; None where its config does not say.
        parameters: by part.
        lengths: by stream.
        step_tflop: floating-point operations of a mean step on one device, in 10^12.
        preparation_tflop: those of filling all caches, in 10^12.
        memory: by number of GPUs and layout.
        disk: caches.
        time: by device and their number.
        samples: some rows of each stream.
        too_long: rows that do not fit the model.
        assumptions: what the figures rest on, one sentence each.
    """

    model: str
    method: str
    steps: int
    batch_size: int
    positions: int | None
    parameters: tuple[PartParameters, ...]
    lengths: tuple[StreamLengths, ...]
    step_tflop: float
    preparation_tflop: float
    memory: tuple[Memory, ...]
    disk: tuple[Disk, ...]
    time: tuple[Time, ...]
    samples: tuple[RenderedSample, ...]
    too_long: tuple[TooLong, ...]
    assumptions: tuple[str, ...]

    @property
    def total_parameters(self) -> int:
        """Number of all parameters, adapters included."""
        return sum(part.total for part in self.parameters)

    @property
    def trainable_parameters(self) -> int:
        """Number of those that train."""
        return sum(part.trainable for part in self.parameters)

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON document of schema `unmirage.align-plan/1`; sizes are bytes."""
        return {
            "schema": SCHEMA,
            **asdict(self),
            "parameters": {
                "total": self.total_parameters,
                "trainable": self.trainable_parameters,
                "share": self.trainable_parameters / self.total_parameters,
                "parts": [asdict(part) for part in self.parameters],
            },
            "memory": [asdict(row) | {"total": row.total} for row in self.memory],
            "samples": [
                {
                    "stream": one.stream,
                    "sample_id": one.sample_id,
                    "tokens": one.tokens,
                    "loss_tokens": one.loss_tokens,
                    "text": one.text,
                }
                for one in self.samples
            ],
        }
