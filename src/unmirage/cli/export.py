"""`unmirage export`: write a judged run as logs of another evaluation framework."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmirage.cli.console import EXIT_PARTIAL, err, fail
from unmirage.cli.progress import StageProgress
from unmirage.errors import UserError, unknown
from unmirage.run.files import naming

if TYPE_CHECKING:
    from unmirage.bridges.inspect_log import LogFormat

TARGETS = ("inspect",)
FORMATS: tuple[LogFormat, ...] = ("eval", "json")


def export_command(
    run: Annotated[Path, typer.Argument(help="A run directory with results.json.", show_default=False)],
    to: Annotated[str, typer.Option(help="Format of the logs: inspect.")] = "inspect",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the logs; default: RUN/inspect.", show_default=False)
    ] = None,
    log_format: Annotated[str, typer.Option("--format", help="eval (compressed) or json.")] = "eval",
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Embed the pictures instead of naming their files.")
    ] = False,
    redact: Annotated[bool, typer.Option("--redact", help="Leave responses and judges' reasons out.")] = False,
) -> None:
    """Write RUN as Inspect eval logs, one per model. The logs contain the models' responses."""
    if to not in TARGETS:
        raise unknown("--to", to, TARGETS)
    chosen = next((one for one in FORMATS if one == log_format), None)
    if chosen is None:
        raise unknown("--format", log_format, FORMATS)
    if redact and pictures:
        raise UserError("--redact: excludes --pictures; pass only one of them")
    try:
        import inspect_ai  # noqa: F401
    except ImportError as error:
        raise UserError(f"--to inspect: needs the extra 'inspect': pip install 'unmirage[inspect]' ({error})") from None
    from unmirage.bridges.inspect_log import export_run
    from unmirage.run import existing_run

    folder = out or run / "inspect"
    found = existing_run(run)
    with naming(folder), StageProgress(lines=False) as progress:
        made = export_run(
            found,
            folder,
            log_format=chosen,
            pictures=pictures,
            redact=redact,
            progress=lambda done, total: progress("logs", done, total),
        )
    for path in made.paths:
        typer.echo(str(path))
    err.print(f"Next: inspect view --log-dir {folder}", markup=False, soft_wrap=True)
    if made.unreadable:
        fail(
            f"partial: {len(made.unreadable)} pictures are not in the logs; the first: {made.unreadable[0]}",
            EXIT_PARTIAL,
        )
