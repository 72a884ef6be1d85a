"""`unmirage calibrate`: run a judge on labeled responses and report its error rates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from unmirage.cli.console import EXIT_PARTIAL, err, fail, out, print_json
from unmirage.cli.options import (
    JUDGE_SPECS,
    BatchSizeOption,
    ConcurrencyOption,
    RequestsOption,
    RubricOption,
    SchemaOption,
    SeesOption,
    TimeoutOption,
    endpoint_options,
    plain,
)
from unmirage.cli.progress import StageProgress
from unmirage.run.files import check_targets, naming
from unmirage.text.formatting import with_interval

if TYPE_CHECKING:
    from unmirage.evaluate.calibration import JudgeCalibration
    from unmirage.records import Rate


def calibrate_command(
    judge: Annotated[str, typer.Argument(help=f"{JUDGE_SPECS}.")],
    labelled: Annotated[
        Path,
        typer.Argument(help="JSON, JSONL or CSV of query, response, verdict (complied, refused or irrelevant)."),
    ],
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Write the calibration here, for evaluate --calibration.")
    ] = None,
    rubric: RubricOption = "harm",
    sees: SeesOption = False,
    schema: SchemaOption = False,
    images: Annotated[Path | None, typer.Option(help="Folder of the pictures; default: LABELLED's.")] = None,
    batch_size: BatchSizeOption = None,
    concurrency: ConcurrencyOption = None,
    requests_per_minute: RequestsOption = None,
    timeout: TimeoutOption = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the calibration on stdout.")] = False,
) -> None:
    """Compare JUDGE with human labels: sensitivity and specificity, with intervals."""
    from unmirage.data.images import ImageFolder
    from unmirage.evaluate.calibration import measure, read_labelled
    from unmirage.workflows.models import make_judges

    endpoint = endpoint_options(
        (judge,),
        concurrency=concurrency,
        requests_per_minute=requests_per_minute,
        timeout=timeout,
    )
    if out_file is not None:
        check_targets({"--out": out_file}, [str(labelled)])
    answers = read_labelled(labelled)
    (made,) = make_judges(
        [judge],
        rubric,
        schema=schema,
        pictures=ImageFolder(images or labelled.parent) if sees else None,
        cache=None if out_file is None else out_file.with_suffix(".sqlite"),
        endpoint=endpoint,
        batch_size=batch_size,
    )
    with StageProgress(lines=False) as progress:
        found = measure(made, answers, lambda done, total: progress(f"judge {made.name}", done, total))
    if out_file is not None:
        with naming(out_file):
            found.save(out_file)
    if json_output:
        print_json(found.to_dict())
    else:
        _print(found)
    _end(found, out_file)


def _print(found: JudgeCalibration) -> None:
    caption = (
        "sensitivity: share of the responses with this label that get the verdict\n"
        "specificity: share of the other responses that do not get it\n"
        "percent, [95 % interval], counts"
    )
    table = Table(box=box.SIMPLE_HEAD, caption=caption, caption_justify="left", caption_style="dim")
    table.add_column("verdict")
    table.add_column("sensitivity", justify="right")
    table.add_column("specificity", justify="right")
    for verdict, one in found.verdicts.items():
        table.add_row(str(verdict), _cell(one.sensitivity), _cell(one.specificity))
    out.print(f"{plain(found.judge)}, {found.n} labeled responses", markup=False)
    out.print(table)


def _cell(rate: Rate) -> str:
    if rate.value is None:
        return "n/a (no such label)"
    return f"{with_interval(rate.value, rate.low, rate.high)} {rate.k:g}/{rate.n}"


def _end(found: JudgeCalibration, out_file: Path | None) -> None:
    one = next(iter(found.verdicts.values()))
    invalid = one.sensitivity.invalid + one.specificity.invalid
    if out_file is not None:
        err.print(f"Next: unmirage evaluate RUN --judge ... --calibration {out_file}", markup=False, soft_wrap=True)
    if invalid:
        fail(f"partial: {invalid} of {found.n} responses have no verdict and are left out of the rates", EXIT_PARTIAL)
