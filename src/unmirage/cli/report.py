"""`unmirage report RUN`: parse the command line, write the page, print its path."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmirage.cli.targets import naming
from unmirage.errors import UserError


def report_command(
    run: Annotated[
        Path,
        typer.Argument(help="A run directory, or a file of `unmirage audit --json`.", show_default=False),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Write the page to this file, not beside its data.", show_default=False),
    ] = None,
    redact: Annotated[bool, typer.Option(help="Leave responses and pictures out.")] = False,
) -> None:
    """Write one self-contained HTML page about a run or an audit."""
    # Imported here because templates take a moment to import, and `--help` need not wait for them.
    from unmirage.run.files import write_text_atomic

    beside, page = _audit_page(run, redact=redact) if run.is_file() else _run_page(run, redact=redact)
    path = out or beside
    if path.is_dir():
        raise UserError(f"--out: {path} is a folder; valid: the name of a file, such as {path / 'report.html'}")
    with naming(path):
        write_text_atomic(path, page)
    typer.echo(str(path))


def _run_page(path: Path, *, redact: bool) -> tuple[Path, str]:
    from unmirage.report.run_page import render_run_page
    from unmirage.run import existing_run

    if not path.exists():
        raise UserError(f"{path}: no such run; valid: a run directory, or a file of `unmirage audit --json`")
    run = existing_run(path)
    return run.report_file, render_run_page(run, redact=redact)


def _audit_page(path: Path, *, redact: bool) -> tuple[Path, str]:
    from unmirage.report.audit_page import render_audit_page
    from unmirage.report.documents import RESULTS_SCHEMA, read_json

    document = read_json(path)
    if isinstance(document, dict) and document.get("schema") == RESULTS_SCHEMA:
        raise UserError(f"{path}: is the results of a run; name the run directory instead: {path.parent}")
    return path.with_suffix(".html"), render_audit_page(document, str(path), redact=redact)
