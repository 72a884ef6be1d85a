"""`unmirage view RUN...`: pages of runs in the browser, while they are written."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from unmirage.cli.console import say


def view_command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories; nothing is written to them.")],
    *,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port on the loopback (default: 8421, or a free one).", show_default=False),
    ] = None,
) -> None:
    """Serve the pages of runs on 127.0.0.1 while they are written, until Ctrl-C."""
    from unmirage.api import view

    def told(address: str) -> None:
        say("Press Ctrl-C to end.")
        typer.echo(address)

    signal.signal(signal.SIGINT, signal.default_int_handler)  # nothing is unfinished then
    with suppress(KeyboardInterrupt):
        view(runs, port=port, ready=told)
