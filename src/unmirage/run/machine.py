"""Record the software versions and hardware of a run, without host names, users or paths."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata

_PACKAGES = ("unmirage", "torch", "transformers", "accelerate", "numpy", "scipy", "scikit-learn")


def describe_machine() -> dict[str, str | int]:
    """Return interpreter, system, processor count, accelerator and the versions that decide a result.

    Threads and accelerator are torch's. They are "not used" where this process has not imported torch.
    """
    torch = sys.modules.get("torch")
    accelerator: str = "not used" if torch is None else "none"
    if torch is not None and torch.cuda.is_available():
        accelerator = torch.cuda.get_device_name()
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count() or 0,
        "threads": "not used" if torch is None else torch.get_num_threads(),
        "accelerator": accelerator,
        **{name: installed_version(name) for name in _PACKAGES},
    }


def installed_version(name: str) -> str:
    """Return the version of a package, or "not installed"."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
