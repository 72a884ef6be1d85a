"""`unmirage report RUN...` and `unmirage export RUN`: write a page, or logs of another evaluation framework."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmirage.cli.console import EXIT_PARTIAL, fail, say
from unmirage.cli.progress import StageProgress
from unmirage.run.paths import quoted


def report_command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Run directories, shown side by side; or one file of `unmirage audit --json`.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Output file (default: report.html in RUN, or beside the data).", show_default=False),
    ] = None,
    redact: Annotated[bool, typer.Option(help="Leave responses and pictures out.")] = False,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Model that all others are compared with (default: the first).", show_default=False
        ),
    ] = None,
) -> None:
    """Write one self-contained HTML page about a run, several runs or an audit."""
    # Imported here because templates take a moment to import, which would delay `--help`.
    from unmirage.api import report

    typer.echo(str(report(runs, out=out, redact=redact, reference=reference)))


def export_command(
    run: Annotated[Path, typer.Argument(help="A run directory with results.json.", show_default=False)],
    *,
    to: Annotated[str, typer.Option(help="Format of the logs: inspect.")] = "inspect",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the logs (default: RUN/inspect).", show_default=False)
    ] = None,
    log_format: Annotated[str, typer.Option("--format", help="eval (compressed) or json.")] = "eval",
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Embed the pictures instead of naming their files.")
    ] = False,
    redact: Annotated[bool, typer.Option("--redact", help="Leave responses and judges' reasons out.")] = False,
) -> None:
    """Write RUN as Inspect eval logs, one per model. The logs contain the models' responses."""
    from unmirage.api import export

    with StageProgress(lines=False) as progress:
        made = export(run, to, out=out, format=log_format, pictures=pictures, redact=redact, progress=progress)
    for path in made.paths:
        typer.echo(str(path))
    say(f"Next: inspect view --log-dir {quoted(made.paths[0].parent)}")
    if made.unreadable:
        fail(
            f"partial: {len(made.unreadable)} pictures are not in the logs; the first: {made.unreadable[0]}",
            EXIT_PARTIAL,
        )
