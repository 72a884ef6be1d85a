"""What all commands share: where tables, JSON, progress and errors go, and the exit codes."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

from rich.console import Console

EXIT_INTERNAL = 1
EXIT_USAGE = 2
EXIT_GATE = 3
EXIT_PARTIAL = 4
EXIT_INTERRUPTED = 130

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout, and nothing else there.

    It is ASCII with escapes where stdout cannot hold all characters, or the text has a lone surrogate.
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, allow_nan=False, indent=2)
    sys.stdout.write(text + "\n")


def fail(message: str, status: int) -> NoReturn:
    """Print one line on stderr and end with `status`."""
    err.print(f"unmirage: {message}", style="bold red", markup=False, soft_wrap=True)
    raise SystemExit(status)
