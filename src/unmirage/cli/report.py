"""`unmirage report RUN...`: parse the options, write the HTML page, print its path."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmirage.errors import UserError
from unmirage.run.files import naming

_VALID = "give run directories, or one file of `unmirage audit --json`"


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
        typer.Option(help="Output file (default: beside the data).", show_default=False),
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
    from unmirage.run.files import write_text_atomic

    if len(runs) == 1 and runs[0].is_file():
        if reference is not None:
            raise UserError("--reference: an audit has no models to compare; leave it out")
        beside, page = _audit_page(runs[0], redact=redact)
    else:
        beside, page = _run_page(runs, redact=redact, reference=reference)
    path = out or beside
    if path.is_dir():
        raise UserError(f"--out: {path} is a folder; name a file, such as {path / 'report.html'}")
    with naming(path):
        write_text_atomic(path, page)
    typer.echo(str(path))


def _run_page(paths: list[Path], *, redact: bool, reference: str | None) -> tuple[Path, str]:
    from unmirage.report.run_page import render_comparison_page, render_run_page
    from unmirage.run import existing_run

    for path in paths:
        if not path.exists():
            raise UserError(f"{path}: no such run; {_VALID}")
        if path.is_file():
            raise UserError(f"{path}: is a file, but several paths are given; {_VALID}")
    found = [existing_run(path) for path in paths]
    if len(found) == 1:
        return found[0].report_file, render_run_page(found[0], redact=redact, reference=reference)
    page = render_comparison_page(found, redact=redact, reference=reference)
    return found[0].path.absolute().parent / "comparison.html", page


def _audit_page(path: Path, *, redact: bool) -> tuple[Path, str]:
    from unmirage.report.audit_page import render_audit_page
    from unmirage.run.files import read_json

    document = read_json(path)
    if isinstance(document, dict) and document.get("schema") == "unmirage.results/1":
        raise UserError(f"{path}: is the results file of a run; give the run directory instead: {path.parent}")
    return path.with_suffix(".html"), render_audit_page(document, str(path), redact=redact)
