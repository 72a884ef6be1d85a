"""The processes that share one run: their number, the main process, and the values that all must agree on."""

from __future__ import annotations

import os
from datetime import timedelta

import torch
from accelerate import PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list

from unmirage.errors import UserError
from unmirage.models.placement import device_of

_chosen: dict[str, str] = {}  # the type of the selected device
# Other processes wait while the main one caches reference outputs; the backends' default timeout is only minutes.
_PATIENCE = timedelta(hours=12)


def processes() -> PartialState:
    """Return the state of the processes started by `accelerate launch` or `torchrun`, or of a single process.

    Call it before a model is loaded, because it also selects the device of this process. All code must use this
    function: the first call configures accelerate. Otherwise, accelerate would not connect the processes without CUDA.
    """
    return PartialState(cpu=not on_gpu(), timeout=_PATIENCE)


def choose_device(device: str) -> None:
    """Select the device of trainings from now on: "auto" (a GPU of CUDA if there is one), "cpu" or "cuda".

    Raises:
        UserError: it is unknown, this machine lacks it, or it cannot be selected here.
    """
    place = device_of(device)
    if device != "auto" and int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise UserError(f"device {device}: the launcher assigns each process its device; leave it out")
    if place.index or place.type == "mps":
        hint = f"set CUDA_VISIBLE_DEVICES={place.index} and use cuda" if place.index else "valid: auto, cpu, cuda"
        raise UserError(f"device {device}: training uses the CPU or the first visible GPU of CUDA; {hint}")
    chosen, before = place.type, "cuda" if on_gpu() else "cpu"
    _chosen["device"] = chosen
    if chosen != before:
        AcceleratorState._reset_state(reset_partial_state=True)


def on_gpu() -> bool:
    """Tell whether trainings use a GPU."""
    return _chosen.get("device", "cuda") == "cuda" and torch.cuda.is_available()


def is_main_process() -> bool:
    """Tell whether this process writes files, shows progress and prints."""
    return bool(processes().is_main_process)


def on_several_machines() -> bool:
    """Tell whether the processes run on several machines, which may not share a disk."""
    everywhere = int(processes().num_processes)
    return int(os.environ.get("LOCAL_WORLD_SIZE", everywhere)) < everywhere


def agreed(text: str) -> str:
    """Return the main process's `text` on all processes."""
    return str(broadcast_object_list([text])[0])


def by_deepspeed() -> bool:
    """Tell whether `accelerate launch` uses DeepSpeed."""
    return os.environ.get("ACCELERATE_USE_DEEPSPEED", "false").lower() == "true"


def by_fsdp() -> bool:
    """Tell whether `accelerate launch` uses FSDP."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
