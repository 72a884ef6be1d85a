"""Let only the main process of a launcher speak: the others repeat its messages, or fail for the same reason."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from unmirage.errors import UserError
from unmirage.run.launch import launched

# Time for the main process to fail for the same reason, whereupon the launcher ends all others.
GRACE = 5.0


@contextmanager
def spoken_once() -> Iterator[None]:
    """Hold back what a process prints unless it is the main one; print it if only this process fails."""
    try:
        launch = launched()
    except UserError:
        launch = None  # a command that uses it will say so
    if launch is None or launch.is_main:
        yield
        return
    held = io.StringIO()
    try:
        with redirect_stdout(held), redirect_stderr(held):
            yield
    except SystemExit as ended:
        if ended.code:
            time.sleep(GRACE)
            for line in held.getvalue().splitlines():
                sys.stderr.write(f"process {launch.rank}: {line}\n")
        raise
