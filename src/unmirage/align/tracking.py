"""Report a training to experiment trackers, through transformers' own callbacks, without ever ending it."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.integrations import get_reporting_integration_callbacks

from unmirage.align.config import AlignConfig
from unmirage.errors import UserError, one_line, unknown

log = logging.getLogger(__name__)
PROJECT = "unmirage"
# The modules that make a tracker usable, any of them, and what to install for it.
TRACKERS = {
    "wandb": (("wandb",), "wandb"),
    "tensorboard": (("tensorboard", "tensorboardX"), "tensorboard"),
    "trackio": (("trackio",), "trackio"),
    "mlflow": (("mlflow",), "mlflow"),
}
# The Trainer's own figures that mean something else here: it sees a training as one epoch, and a share of the loss.
_MISLEADING = ("epoch", "total_flos", "train_loss")


def check_trackers(names: Sequence[str]) -> tuple[str, ...]:
    """Return the trackers, each once.

    Raises:
        UserError: one is unknown or not installed.
    """
    for name in names:
        if name not in TRACKERS:
            raise unknown("tracker", name, TRACKERS)
        modules, package = TRACKERS[name]
        if not any(map(find_spec, modules)):
            raise UserError(f"tracker '{name}': is not installed; pip install {package}")
    return tuple(dict.fromkeys(names))


class _Described:
    """Stands for the model in a tracker's callbacks, which only read its settings: ours, instead of its config."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.config = self
        self._settings = dict(settings)

    def to_dict(self) -> dict[str, Any]:
        return dict(self._settings)

    def to_json_string(self) -> str:
        return json.dumps(self._settings, indent=2)


class Trackers(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Passes the start, the metrics and the end of a training to trackers; its first error switches a tracker off.

    Checkpoints and the model are not passed on: nothing but metrics and settings leaves the training.

    Args:
        names: their names in `TRACKERS`.
        run_name: name of the run in the trackers.
        config: settings of the training.
        folder: directory for TensorBoard's files; None for its default.
    """

    def __init__(self, names: Sequence[str], run_name: str, config: AlignConfig, folder: Path | None = None) -> None:
        self._run_name = run_name
        self._folder = folder
        self._model = _Described(config.model_dump(mode="json"))
        self._on: dict[str, Any] = dict.fromkeys(names)  # None before the first use

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start a run in each tracker."""
        self._each(args, lambda one: one.on_train_begin(args, state, control, model=self._model))

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Pass metrics on."""
        found = {name: value for name, value in (logs or {}).items() if name not in _MISLEADING}
        if found:
            self._each(args, lambda one: one.on_log(args, state, control, logs=dict(found), model=self._model))

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """End the run in each tracker."""
        self._each(args, lambda one: one.on_train_end(args, state, control, model=self._model))

    def _each(self, args: Any, act: Callable[[Any], Any]) -> None:
        for name, made in list(self._on.items()):
            try:
                with redirect_stdout(sys.stderr):  # stdout is reserved for --json
                    one = made or self._made(name, args)
                    self._on[name] = one
                    act(one)
            except Exception as error:  # a tracker's errors are of any type, and none may end a training
                del self._on[name]
                log.warning("tracker '%s': failed and is switched off: %s", name, one_line(error) or repr(error))

    def _made(self, name: str, args: Any) -> Any:
        """Return transformers' callback for a tracker."""
        stay_local(name)
        args.run_name, args.project = self._run_name, PROJECT
        (callback,) = get_reporting_integration_callbacks([name])
        made = callback()
        if name == "tensorboard" and self._folder is not None and made.logging_dir is None:
            made.logging_dir = str(self._folder)
        return made


def stay_local(name: str) -> None:
    """Set what keeps a tracker from the network, unless the environment says otherwise."""
    if name == "wandb":
        os.environ.setdefault("WANDB_PROJECT", PROJECT)
        if not any(os.environ.get(key) for key in ("WANDB_MODE", "WANDB_API_KEY")):
            os.environ["WANDB_MODE"] = "offline"
            log.info("tracker 'wandb': offline; set WANDB_MODE=online to send the run to the server")
    elif name == "trackio":
        os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")


def metrics_of(
    parts: Mapping[str, float], learning_rate: float | None, gradient_norm: float | None
) -> dict[str, float]:
    """Return the metrics of one step: the loss and its parts, learning rate and gradient norm before clipping."""
    found = {"loss": sum(parts.values())} | {f"loss_{name}": value for name, value in parts.items()}
    rest = {"learning_rate": learning_rate, "grad_norm": gradient_norm}
    return found | {name: float(value) for name, value in rest.items() if value is not None}
