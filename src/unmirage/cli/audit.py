"""`unmirage audit DATA`: parse the options and print the findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unmirage.cli.audit_tables import counted
from unmirage.cli.console import EXIT_GATE, EXIT_PARTIAL, err, fail, print_json
from unmirage.data.tables import parse_columns
from unmirage.errors import UserError, unknown
from unmirage.evaluate.gate import broken_gate, check_gate
from unmirage.run.files import check_targets, naming

if TYPE_CHECKING:
    from unmirage.audit import AuditResult
    from unmirage.audit.pictures import Encoder
    from unmirage.audit.remediation import Write
    from unmirage.data import SampleFile
    from unmirage.records import LabelSource, Sample

_LABELS: tuple[LabelSource, ...] = ("field", "answer")


def audit_command(
    data: Annotated[
        str,
        typer.Argument(
            help="Safety data: a JSON, JSONL, CSV or parquet file, or hf:NAME for a hub dataset.", show_default=False
        ),
    ],
    format: Annotated[
        str,
        typer.Option(
            help="auto, vlguard, llava, spa-vl, holisafe, mossbench, figstep, xstest, mm-safetybench, json, jsonl, "
            "csv or parquet."
        ),
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
        Path | None,
        typer.Option(help="Directory of a vision encoder, to probe picture embeddings.", show_default=False),
    ] = None,
    test: Annotated[str, typer.Option(help="Held-out data to measure predictability on.", show_default=False)] = "",
    compare: Annotated[
        str, typer.Option(help="Another version of the data, to compare with.", show_default=False)
    ] = "",
    write_balanced: Annotated[
        Path | None,
        typer.Option(
            help="Write a version with queries dropped so that openers do not predict the label.", show_default=False
        ),
    ] = None,
    write_diversified: Annotated[
        Path | None,
        typer.Option(
            help="Write a version whose queries are reworded so that openers do not predict the label.",
            show_default=False,
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Skip records that cannot be read, and count them.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write a page to this file.", show_default=False)] = None,
    csv: Annotated[Path | None, typer.Option(help="Also write all findings to this file.", show_default=False)] = None,
    fail_if: Annotated[
        str,
        typer.Option(help="End with status 3 if this holds, such as 'shortcut_gap>0.2'.", show_default=False),
    ] = "",
    seed: Annotated[int, typer.Option(help="Random seed of folds, draws and rewordings.")] = 0,
) -> None:
    """Find surface features of queries and pictures that predict which queries are refused."""
    # Imported here because the statistics take a second to import, which would delay `--help`.
    from unmirage.audit.audit import AuditOptions, audit
    from unmirage.audit.remediation import with_comparison, with_remedies
    from unmirage.cli.progress import StageProgress
    from unmirage.data import open_samples, writer_for

    if fail_if:
        check_gate(fail_if)
    remedies = {"balanced": write_balanced, "diversified": write_diversified}
    targets = {f"--write-{name}": path for name, path in remedies.items()} | {"--html": html, "--csv": csv}
    check_targets(targets, (data, test, compare))
    files = {name: path for name, path in remedies.items() if path is not None}
    named, chosen = parse_columns(columns), _label(label)
    read: list[SampleFile] = []
    with StageProgress(lines=False) as progress:

        def opened(path: str, *, folder: Path | None = images) -> SampleFile:
            def told(done: int, total: int) -> None:
                progress(f"read {Path(path).name}", done, total)

            read.append(open_samples(path, format, columns=named, images=folder, skip_bad=skip_bad, progress=told))
            return read[-1]

        dataset = opened(data)
        for path in files.values():
            writer_for(path, dataset.format)  # reject an unsupported file type before the work
        held_out, other = opened(test) if test else None, opened(compare, folder=None) if compare else None
        options = AuditOptions(seed=seed, label=chosen, encoder=_encoder(encoder), progress=progress)

        def writer(path: Path) -> Write:
            return _naming(writer_for(path, dataset.format))

        def again(path: Path) -> SampleFile:
            return open_samples(path, images=dataset.image_root)

        result, failed = audit(dataset, held_out, options), None
        try:
            if files:
                result = with_remedies(result, dataset, files, writer, again, options)
            if other is not None:
                result = with_comparison(result, other, options)
        except UserError as error:
            failed = error  # reported after the findings
    _show(result, as_json=as_json, html=html, csv=csv)
    if failed:
        raise failed
    broken = broken_gate(fail_if, result.to_dict()) if fail_if else None
    unread = _unread(result, read)
    if unread:
        err.print(f"some data could not be read: {'; '.join(unread)}", markup=False, soft_wrap=True)
    if broken:
        fail(broken, EXIT_GATE)
    if unread:
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
    from unmirage.cli.options import quiet_libraries
    from unmirage.models.encoders import VisionEncoder

    quiet_libraries()
    return VisionEncoder.load(folder).encode


def _naming(write: Write) -> Write:
    def named(samples: Iterable[Sample], path: Path) -> None:
        with naming(path):
            write(samples, path)

    return named


def _show(result: AuditResult, *, as_json: bool, html: Path | None, csv: Path | None) -> None:
    from unmirage.cli.audit_tables import print_audit
    from unmirage.report.audit_page import findings_csv, render_audit_page
    from unmirage.run.files import write_text_atomic

    document = result.to_dict()
    # Print before writing files, so that a full disk does not lose the output.
    if as_json:
        print_json(document)
    else:
        print_audit(result)
    makers: list[tuple[Path | None, Callable[[dict[str, Any]], str]]] = [(html, render_audit_page), (csv, findings_csv)]
    for path, make in makers:
        if path is not None:
            with naming(path):
                write_text_atomic(path, make(document))
            err.print(f"written: {path}", markup=False, soft_wrap=True)


def _unread(result: AuditResult, files: list[SampleFile]) -> list[str]:
    """Describe the data that could not be read: skipped records, and corrupt pictures."""
    aside = [(one.skipped.count, one.source.name) for one in files if one.skipped.count]
    unread = [f"{counted(count, 'record')} of {name} skipped" for count, name in aside]
    if result.pictures and result.pictures.unreadable:
        unread.append(f"{counted(result.pictures.unreadable, 'picture')} unreadable")
    return unread
