"""Watch a model in training, and stop the run when a measurement is too low."""

from __future__ import annotations

from typing import Any, Protocol

from transformers import TrainerCallback

from unmirage.errors import UserError
from unmirage.models.huggingface import HuggingFaceVLM


class Watch(Protocol):
    """Measures a model in training every few steps.

    Attributes:
        every: steps between two measurements; the last step is measured too.
    """

    every: int

    def measure(self, vlm: HuggingFaceVLM, step: int) -> float:
        """Return the measurement of the model as it is now, after `step` steps; 0 is before training."""

    def verdict(self, start: float, now: float) -> str:
        """Return why a run must stop, or "" if it may continue.

        Args:
            start: measurement of the model before training.
            now: measurement after a step.
        """


class Until(Protocol):
    """Decides after each optimizer step whether the training has reached its goal."""

    def __call__(self, step: int, /) -> str:
        """Return the reason to end the training after this step, with its weights; "" to continue.

        The model has the weights of this step, and may generate responses.
        """
        ...


class StopWhen(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Ends the training when an `Until` returns a reason.

    Attributes:
        reason: the reason; "" as long as there is none.
    """

    def __init__(self, until: Until) -> None:
        self._until = until
        self.reason = ""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Ask whether to end, with the model in evaluation mode; the next step sets it back."""
        kwargs["model"].eval()
        self.reason = self._until(state.global_step)
        if self.reason:
            control.should_training_stop = True


class StopError(UserError):
    """A watch stops the run at a step. The weights of the last passed measurement are kept."""

    def __init__(self, step: int, why: str) -> None:
        super().__init__(f"stopped at step {step}: {why}")
        self.step, self.why = step, why


def should_look(step: int, every: int, steps: int) -> bool:
    """Return whether a step is measured: each `every` steps, and the last one."""
    return step % every == 0 or step == steps


class WatchCallback(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Measure after the steps that are due; save a checkpoint where the run may continue.

    Args:
        look: called with the step; raises `StopError` to stop.
        every, steps: steps between two measurements, and steps of the run.
        saves: whether checkpoints are kept.
    """

    def __init__(self, look: Any, every: int, steps: int, *, saves: bool) -> None:
        self._look = look
        self._every = every
        self._steps = steps
        self._saves = saves

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:  # noqa: ARG002
        """Measure if this step is due. Checkpoints are written at passed measurements only."""
        due = should_look(state.global_step, self._every, self._steps)
        if due:
            self._look(state.global_step)
        control.should_save = due and self._saves
        return control
