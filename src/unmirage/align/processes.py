"""The processes that share one run: their number, the main process, and the values that all must agree on."""

from __future__ import annotations

import os
from datetime import timedelta

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

# Other processes wait while the main one caches reference outputs; the backends' default timeout is only minutes.
_PATIENCE = timedelta(hours=12)


def processes() -> PartialState:
    """Return the state of the processes started by `accelerate launch` or `torchrun`, or of a single process.

    Call it before a model is loaded, because it also selects the device of this process. All code must use this
    function: the first call configures accelerate. Otherwise, accelerate would not connect the processes without CUDA.
    """
    return PartialState(cpu=not torch.cuda.is_available(), timeout=_PATIENCE)


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
