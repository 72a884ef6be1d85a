"""Record commit and machine of benchmark results, and write them as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unmirage.run.files import write_text_atomic
from unmirage.run.machine import describe_machine


def git(*arguments: str) -> str:
    """Return the output of git without the final line break; "" outside a checkout."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def made_by() -> dict[str, Any]:
    """Return the commit and the machine. Call it before long work, during which the commit may change."""
    return {"commit": git("rev-parse", "HEAD"), "machine": describe_machine()}


def hand_on(document: Mapping[str, Any], keep: Path | None) -> None:
    """Print a document as JSON, and write it to `keep` if given."""
    text = json.dumps(document, indent=1) + "\n"
    if keep:
        write_text_atomic(keep, text)
    sys.stdout.write(text)
