"""`unmirage audit DATA`: parse the command line, print what the audit found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmirage.cli.console import EXIT_GATE, EXIT_PARTIAL, err, fail, print_json
from unmirage.cli.gate import broken_gate, check_gate
from unmirage.cli.options import parse_columns
from unmirage.errors import UserError, unknown

if TYPE_CHECKING:
    from unmirage.audit import AuditResult
    from unmirage.audit.pictures import Encoder
    from unmirage.data import SampleFile
    from unmirage.records import LabelSource

_LABELS: tuple[LabelSource, ...] = ("field", "answer")


def audit_command(
    data: Annotated[
        str,
        typer.Argument(
            help="Safety data: a JSON, JSONL, CSV or parquet file, or hf:NAME for a hub dataset.", show_default=False
        ),
    ],
    format: Annotated[
        str, typer.Option(help="auto, vlguard, llava, spa-vl, holisafe, mossbench, json, jsonl or csv.")
    ] = "auto",
    columns: Annotated[
        str, typer.Option(help="Columns of a flat table: query=prompt,answer=output,...", show_default=False)
    ] = "",
    label: Annotated[
        str, typer.Option(help="Take the label from the data's 'field', or from the 'answer'.", show_default=False)
    ] = "",
    images: Annotated[
        Path | None, typer.Option(help="Folder of the pictures; default: that of DATA.", show_default=False)
    ] = None,
    encoder: Annotated[
        Path | None, typer.Option(help="Directory of a vision model, to probe its embeddings.", show_default=False)
    ] = None,
    test: Annotated[str, typer.Option(help="Held-out data to measure predictability on.", show_default=False)] = "",
    compare: Annotated[
        str, typer.Option(help="Another version of the data, to set beside it.", show_default=False)
    ] = "",
    write_balanced: Annotated[
        Path | None,
        typer.Option(help="Write the data with queries dropped so that openers tell nothing.", show_default=False),
    ] = None,
    write_diversified: Annotated[
        Path | None,
        typer.Option(help="Write the data with queries reworded so that openers tell nothing.", show_default=False),
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Set bad records aside, and count them.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write a page to this file.", show_default=False)] = None,
    csv: Annotated[Path | None, typer.Option(help="Also write all findings to this file.", show_default=False)] = None,
    fail_if: Annotated[
        str,
        typer.Option(help="End with status 3 if this holds, such as 'shortcut_gap>0.2'.", show_default=False),
    ] = "",
    seed: Annotated[int, typer.Option(help="Decides folds, draws and rewordings.")] = 0,
) -> None:
    """Find the surface features of queries and pictures that give away which queries are refused."""
    # Imported here because the statistics take a second to import, and `--help` need not wait for them.
    from unmirage.audit.again import with_comparison, with_remedies
    from unmirage.audit.audit import AuditOptions, audit
    from unmirage.cli.progress import StageProgress
    from unmirage.data import open_samples, writer_for

    if fail_if:
        check_gate(fail_if)
    remedies = {"balanced": write_balanced, "diversified": write_diversified}
    files = {name: path for name, path in remedies.items() if path is not None}
    for path in files.values():
        _refuse_input(path, data, test, compare)
    named = parse_columns(columns)
    with StageProgress(lines=False) as progress:

        def opened(path: str | Path, kind: str = "read", *, folder: Path | None = images) -> SampleFile:
            def told(done: int, total: int) -> None:
                progress(f"{kind} {Path(path).name}", done, total)

            return open_samples(path, format, columns=named, images=folder, skip_bad=skip_bad, progress=told)

        options = AuditOptions(seed=seed, label=_label(label), encoder=_encoder(encoder), progress=progress)
        dataset = opened(data)
        for path in files.values():
            writer_for(path, dataset.format)  # an ending that cannot be written is told before the work
        result = audit(dataset, opened(test) if test else None, options)
        if files:
            result = with_remedies(
                result,
                dataset,
                files,
                lambda path: writer_for(path, dataset.format),
                lambda path: open_samples(path, images=dataset.image_root),
                options,
            )
        if compare:
            result = with_comparison(result, opened(compare, folder=None), options)
    _show(result, as_json=as_json, html=html, csv=csv)
    broken = broken_gate(fail_if, result.to_json()) if fail_if else None
    if broken:
        fail(broken, EXIT_GATE)
    if _is_partial(result):
        raise typer.Exit(EXIT_PARTIAL)


def _label(name: str) -> LabelSource | None:
    if not name:
        return None
    for label in _LABELS:
        if name == label:
            return label
    raise unknown("label", name, _LABELS)


def _encoder(folder: Path | None) -> Encoder | None:
    if folder is None:
        return None
    from unmirage.cli.quiet import quiet_libraries
    from unmirage.models.vision import VisionEncoder

    quiet_libraries()
    return VisionEncoder.load(folder).encode


def _refuse_input(path: Path, *inputs: str) -> None:
    if any(name and path.resolve() == Path(name).resolve() for name in inputs):
        raise UserError(f"{path}: is an input, and would be overwritten; valid: the name of another file")


def _show(result: AuditResult, *, as_json: bool, html: Path | None, csv: Path | None) -> None:
    from unmirage.cli.audit_tables import print_audit
    from unmirage.run.files import write_text_atomic

    if html:
        from unmirage.report.audit_page import render_audit_page

        write_text_atomic(html, render_audit_page(result.to_json()))
    if csv:
        from unmirage.report.findings_csv import findings_csv

        write_text_atomic(csv, findings_csv(result.to_json()))
    if as_json:
        print_json(result.to_json())
    else:
        print_audit(result)
    for path in filter(None, (html, csv)):
        err.print(f"written: {path}", markup=False, soft_wrap=True)


def _is_partial(result: AuditResult) -> bool:
    """Say whether some of the data could not be read: records set aside, or pictures that are there but broken."""
    return bool(result.skipped.count or (result.pictures and result.pictures.unreadable))
