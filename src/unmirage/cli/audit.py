"""`unmirage audit DATA`: parse the command line, print what the audit found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from unmirage.cli.audit_tables import print_audit
from unmirage.cli.console import EXIT_GATE, fail, out, print_json
from unmirage.cli.gate import broken_gate
from unmirage.cli.options import parse_columns
from unmirage.cli.plain import plain

if TYPE_CHECKING:
    from unmirage.audit import AuditResult


def audit_command(
    data: Annotated[Path, typer.Argument(help="Safety data: JSON, JSONL or CSV.", show_default=False)],
    format: Annotated[str, typer.Option(help="auto, vlguard, llava, spa-vl, json, jsonl or csv.")] = "auto",
    columns: Annotated[
        str, typer.Option(help="Columns of a flat table: query=prompt,answer=output,...", show_default=False)
    ] = "",
    test: Annotated[
        Path | None, typer.Option(help="Held-out data to measure predictability on.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write a page to this file.", show_default=False)] = None,
    fail_if: Annotated[
        str,
        typer.Option(help="End with status 3 if this holds, such as 'shortcut_gap>0.2'.", show_default=False),
    ] = "",
    seed: Annotated[int, typer.Option(help="Decides the folds of the cross-validation.")] = 0,
) -> None:
    """Measure how well the first word of a query predicts that it is refused."""
    # Imported here because the statistics take a second to import, and `--help` need not wait for them.
    from unmirage.audit import audit
    from unmirage.data import load_samples

    named = parse_columns(columns)
    dataset = load_samples(data, format, columns=named)
    held_out = load_samples(test, format, columns=named) if test else None
    result = audit(dataset, held_out, seed=seed)
    if html:
        _write_page(result, html)
    if as_json:
        print_json(result.to_json())
    else:
        print_audit(result, cross_validated=test is None)
        if html:
            out.print(Text.assemble("Page: ", plain(str(html), 200)), soft_wrap=True)
    broken = broken_gate(fail_if, result.to_json()) if fail_if else None
    if broken:
        fail(broken, EXIT_GATE)


def _write_page(result: AuditResult, path: Path) -> None:
    from unmirage.report.audit_page import render_audit_page
    from unmirage.run.files import write_text_atomic

    write_text_atomic(path, render_audit_page(result.to_json()))
