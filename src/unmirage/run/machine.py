"""Record the software versions and hardware of a run, without host names, users or paths."""

from __future__ import annotations

import os
import platform
from importlib import metadata

import torch

_PACKAGES = ("unmirage", "torch", "transformers", "accelerate", "numpy", "scipy", "scikit-learn")


def describe_machine() -> dict[str, str | int]:
    """Return interpreter, system, processor count, accelerator and the versions that affect results."""
    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
        "accelerator": accelerator,
        **{name: metadata.version(name) for name in _PACKAGES},
    }
