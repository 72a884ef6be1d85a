"""Check a model in training on held-out data, keep the weights of the best check, and stop when none is better."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import TrainerCallback

from unmirage.align.config import AlignConfig
from unmirage.align.lora import arithmetic
from unmirage.align.trainer import AlignTrainer
from unmirage.align.watch import should_look
from unmirage.align.work_directory import Work
from unmirage.models.huggingface import HuggingFaceVLM


class Checks(Protocol):
    """Measures a model in training on held-out data every few steps.

    Attributes:
        every: steps between two checks; the last step is checked too.
        metric: name of the measurement that decides; lower is better.
        patience: checks without a better one that end the training; None for none.
    """

    every: int
    metric: str
    patience: int | None

    def measure(self, vlm: HuggingFaceVLM, step: int) -> Mapping[str, float]:
        """Return the measurements of the model as it is now by name, after `step` steps; 0 is before training."""


@contextmanager
def measuring(vlm: HuggingFaceVLM, config: AlignConfig) -> Iterator[None]:
    """Put a model in training into evaluation mode inside the block, with the dtype of its computation."""
    training, dtype = vlm.model.training, arithmetic(config)
    vlm.model.eval()
    # Frozen weights may be bfloat16 beside trained ones in float32.
    with torch.autocast(vlm.model.device.type, dtype) if dtype is torch.bfloat16 else nullcontext():
        try:
            yield
        finally:
            vlm.model.train(training)


class BestCheck(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Checks the steps that are due, and keeps the weights of the best check.

    With a work directory, a checkpoint is written at each check, and that of the best one stays. Without one, its
    weights are kept in main memory.

    Attributes:
        values: measurements by step; step 0 is the model before training, and is never the best check.

    Args:
        checks: measures the model.
        vlm: the model.
        trainer: its trainer.
        config: its settings.
        steps: steps of the run.
        work: the work directory; None if nothing is kept.
    """

    def __init__(
        self,
        checks: Checks,
        vlm: HuggingFaceVLM,
        trainer: AlignTrainer,
        config: AlignConfig,
        steps: int,
        work: Work | None,
    ) -> None:
        self._checks, self._vlm, self._trainer, self._config = checks, vlm, trainer, config
        self._steps, self._work = steps, work
        self._held: dict[str, Tensor] = {}
        self.values: dict[int, Mapping[str, float]] = {}

    def begin(self, step: int) -> None:
        """Take over the checks of an earlier process up to its last checkpoint; measure the model before training."""
        known = {} if self._work is None else self._work.checks()
        self.values = {number: one for number, one in known.items() if number <= step}
        if self._work is not None:
            self._work.checkpoints.kept = self.best
        if not step and 0 not in self.values:
            self._measure(0)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:  # noqa: ARG002
        """Check if this step is due."""
        step = state.global_step
        if not should_look(step, self._checks.every, self._steps):
            return control
        self._measure(step)
        self._trainer.track({f"eval_{name}": value for name, value in self.values[step].items()})
        if self._work is not None:
            self._work.checkpoints.kept = self.best
            control.should_save = True
        elif self.best == step:
            self._held = {name: one.detach().to("cpu", copy=True) for name, one in self._trained()}
        if self.over:
            control.should_training_stop = True
        return control

    @property
    def best(self) -> int | None:
        """The step of the best check; the first of equal ones; None without a check."""
        steps = [step for step in sorted(self.values) if step]
        return min(steps, key=self._value, default=None)

    @property
    def over(self) -> bool:
        """Whether the last checks have not been better for too long."""
        patience, best = self._checks.patience, self.best
        later = [] if best is None else [step for step in self.values if step > best]
        return patience is not None and len(later) >= patience

    def reason(self) -> str:
        """Return why the training ended early."""
        best, metric = self.best, self._checks.metric
        if best is None or not self.over:
            return ""
        return (
            f"stopped at step {max(self.values)}: {metric} was not below {self.values[best][metric]:.4g}, that of "
            f"step {best}, in {self._checks.patience} checks"
        )

    def restore(self) -> None:
        """Give the model the weights of the best check."""
        best = self.best
        assert best is not None
        if self._work is not None:
            self._trainer.restore(self._work.checkpoints.path(best))
            return
        with torch.no_grad():
            for name, one in self._held.items():
                self._vlm.model.get_parameter(name).copy_(one)

    def _value(self, step: int) -> float:
        value = self.values[step][self._checks.metric]
        return value if math.isfinite(value) else math.inf

    def _measure(self, step: int) -> None:
        with measuring(self._vlm, self._config):
            self.values[step] = dict(self._checks.measure(self._vlm, step))
        if self._work is not None:
            self._work.record_checks(self.values)

    def _trained(self) -> Iterator[tuple[str, Any]]:
        return ((name, one) for name, one in self._vlm.model.named_parameters() if one.requires_grad)
