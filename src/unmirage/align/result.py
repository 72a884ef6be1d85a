"""The result of an alignment run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from unmirage.align.finish import Adapter
from unmirage.records import SinkCount


@dataclass(frozen=True, slots=True)
class AlignResult:
    """Result of a run.

    Attributes:
        steps: optimizer steps of the final weights.
        seconds: duration of this call.
        parts: weighted parts of the loss by step.
        state: tensors of the method, such as RMU's control vector.
        adapter: the trained adapter before merging, and its settings; None without one.
        stopped: why the run stopped early; "" if it did not.
        early: whether the watch or the checks stopped the run, as they were asked to; `stopped` says why.
        watched: measurements of the watch by step; step 0 is the model before training.
        checks: measurements on held-out data by step; step 0 is the model before training.
        sinks: attention sinks that losses on representations leave out, by stream; empty for other losses.
        ignored: incomplete files of an earlier process, which were removed from the work directory.
        writes: True if this process has the model and must write it; with several processes, the main one.
    """

    steps: int
    seconds: float
    parts: list[dict[str, float]]
    state: dict[str, Tensor]
    adapter: Adapter | None = None
    stopped: str = ""
    early: bool = False
    watched: Mapping[int, float] = field(default_factory=dict)
    checks: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    sinks: Mapping[str, SinkCount] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    writes: bool = True
