"""Check the losses of each step, and stop a run that diverges or collapses."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from statistics import fmean

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from unmirage.errors import UserError

_WINDOW = 10  # steps to average, so that one hard batch does not stop the run


class DivergenceError(UserError):
    """Training has diverged. The last checkpoint has the last valid weights.

    Attributes:
        step: the step at which it was detected.
    """

    def __init__(self, step: int, what: str, fix: str = "lower learning_rate") -> None:
        super().__init__(f"training diverged at step {step}: {what}; {fix}")
        self.step = step


def check_weights(step: int, weights: Iterable[tuple[str, Tensor]]) -> None:
    """Raise `DivergenceError` if a weight is NaN or infinite after a step."""
    for name, tensor in weights:
        here = tensor.to_local() if isinstance(tensor, DTensor) else tensor
        if not torch.isfinite(here).all():
            raise DivergenceError(step, f"'{name}' contains NaN or Inf")


class Guards:
    """Stop a run at a NaN/Inf loss or a collapsed model.

    A model collapses when its cross-entropy on the retained answers rises far above its start.

    Args:
        rise: maximum rise of the cross-entropy in nats per token; None checks only for NaN and Inf.
        weight: factor of the cross-entropy in the loss.
    """

    def __init__(self, rise: float | None, weight: float) -> None:
        self._rise = rise
        self._weight = weight
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=_WINDOW)

    def look(self, step: int, parts: Mapping[str, float]) -> None:
        """Raise `DivergenceError` if the loss parts of this step show divergence or collapse."""
        if not all(math.isfinite(value) for value in parts.values()):
            if step == 1:  # before the first update
                own = "the model's own outputs are no numbers: use --dtype float32, or undamaged weights"
                raise DivergenceError(step, f"{dict(parts)}", own)
            raise DivergenceError(step, f"{dict(parts)}")
        if self._rise is None or "cross_entropy" not in parts or not self._weight:
            return
        value = parts["cross_entropy"] / self._weight
        if len(self._first) < _WINDOW:
            self._first.append(value)
        self._last.append(value)
        rise = fmean(self._last) - fmean(self._first)
        if rise > self._rise:
            raise DivergenceError(
                step, f"the cross-entropy on the retain set has risen by {rise:.1f} nats per token (collapse_nats)"
            )

    def replay(self, steps: Iterable[Mapping[str, float]]) -> None:
        """Replay the steps of an earlier process after a resume."""
        for number, parts in enumerate(steps, start=1):
            self.look(number, parts)
