"""The processes that share one run: how many there are, which of them writes, and what all must agree on."""

from __future__ import annotations

import os
from datetime import timedelta

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

# Processes wait for the first one while it asks the reference about every row; the backends' own patience is minutes.
_PATIENCE = timedelta(hours=12)


def processes() -> PartialState:
    """Return the state of the processes that `accelerate launch` or `torchrun` started; that of a single one without.

    Call it before a model is loaded: it also chooses the device of this process. Everybody must ask here, because the
    first to ask decides for all: without CUDA, accelerate takes the processes for strangers unless it is told so.
    """
    return PartialState(cpu=not torch.cuda.is_available(), timeout=_PATIENCE)


def is_main_process() -> bool:
    """Tell whether this is the process that writes files, shows progress and prints."""
    return bool(processes().is_main_process)


def on_several_machines() -> bool:
    """Tell whether not all processes are on this machine, and so may not see its disk."""
    everywhere = int(processes().num_processes)
    return int(os.environ.get("LOCAL_WORLD_SIZE", everywhere)) < everywhere


def agreed(text: str) -> str:
    """Return what the main process calls this with, on all processes."""
    return str(broadcast_object_list([text])[0])


def by_deepspeed() -> bool:
    """Tell whether `accelerate launch` was asked to distribute the model by DeepSpeed."""
    return os.environ.get("ACCELERATE_USE_DEEPSPEED", "false").lower() == "true"


def by_fsdp() -> bool:
    """Tell whether `accelerate launch` was asked to distribute the model by FSDP."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
