"""Record the software versions and hardware of a run, without host names, users or paths."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

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


def commit_of_checkout() -> str:
    """Return the commit of a checkout, with "-dirty" if files are changed; "" for an installed package."""
    git = shutil.which("git")
    if git is None or not _output(git, "ls-files", Path(__file__).name):
        return ""  # an installed package may lie inside another project's checkout
    return _output(git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _output(git: str, *command: str) -> str:
    done = subprocess.run([git, *command], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() if done.returncode == 0 else ""
