"""Stop a training when its caller has seen enough, for example when a measured rate reaches its goal."""

from __future__ import annotations

from typing import Any, Protocol

from transformers import TrainerCallback, TrainerControl, TrainerState


class Watch(Protocol):
    """Decides after each optimizer step whether the training ends."""

    def __call__(self, step: int, /) -> str:
        """Return the reason to stop after this step; "" to continue.

        The model has the weights of this step, and may generate responses.
        """
        ...


class StopWhen(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Ends the training when a `Watch` returns a reason.

    Attributes:
        reason: the reason; "" as long as there is none.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.reason = ""

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:  # noqa: ARG002
        """Ask the watch, with the model in evaluation mode; the next step sets it back."""
        kwargs["model"].eval()
        self.reason = self._watch(state.global_step)
        if self.reason:
            control.should_training_stop = True
