"""Look at the losses of each step, and stop a run that no longer trains anything worth having."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from statistics import fmean

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from unmirage.errors import UserError

_WINDOW = 10  # steps that are averaged, so that one hard batch stops nothing


class DivergenceError(UserError):
    """Training has left the rails. The weights of the last checkpoint are the last good ones.

    Attributes:
        step: the step at which it showed.
    """

    def __init__(self, step: int, what: str) -> None:
        super().__init__(f"training diverged at step {step}: {what}; lower learning_rate")
        self.step = step


def check_weights(step: int, weights: Iterable[tuple[str, Tensor]]) -> None:
    """Raise `DivergenceError` where a weight is no number after a step."""
    for name, tensor in weights:
        here = tensor.to_local() if isinstance(tensor, DTensor) else tensor
        if not torch.isfinite(here).all():
            raise DivergenceError(step, f"'{name}' holds what is no number")


class Guards:
    """Two things that end a run: a loss that is no number, and a cross-entropy far above its start.

    The second is what a model shows that is turning to gibberish: it gives the answers that it should keep less
    probability with every step.

    Args:
        rise: nats per token above the start that are too many; None looks only for numbers.
        weight: by what the cross-entropy's part of the loss is multiplied.
    """

    def __init__(self, rise: float | None, weight: float) -> None:
        self._rise = rise
        self._weight = weight
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=_WINDOW)

    def look(self, step: int, parts: Mapping[str, float]) -> None:
        """Raise `DivergenceError` if the parts of this step's loss say so."""
        if not all(math.isfinite(value) for value in parts.values()):
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
                step, f"the cross-entropy on what is to be kept has risen by {rise:.1f} nats a token (collapse_nats)"
            )

    def replay(self, steps: Iterable[Mapping[str, float]]) -> None:
        """See steps again that an earlier process took, after a resume."""
        for number, parts in enumerate(steps, start=1):
            self.look(number, parts)
