"""`unmirage calibrate`: run a judge on labeled responses and report its error rates."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmirage.cli.console import EXIT_PARTIAL, fail, new_table, out, plain, print_json, say
from unmirage.cli.options import JUDGE_SPECS, BatchSizeOption, ImagesOption, JsonOption, JudgeModel, Server
from unmirage.cli.progress import StageProgress
from unmirage.text.formatting import with_interval

if TYPE_CHECKING:
    from unmirage.evaluate.calibration import JudgeCalibration
    from unmirage.records import Rate


def calibrate_command(
    judge: Annotated[str, typer.Argument(help=f"{JUDGE_SPECS}.")],
    labeled: Annotated[
        Path,
        typer.Argument(help="JSON, JSONL or CSV of query, response, verdict (complied, refused or irrelevant)."),
    ],
    *,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Write the calibration here, for evaluate --calibration.")
    ] = None,
    model: JudgeModel,
    images: ImagesOption = None,
    batch_size: BatchSizeOption = None,
    server: Server,
    json_output: JsonOption = False,
) -> None:
    """Compare JUDGE with human labels: sensitivity and specificity, with intervals."""
    from unmirage.api import calibrate

    with StageProgress(lines=False) as progress:
        found = calibrate(
            judge,
            labeled,
            out=out_file,
            images=images,
            batch_size=batch_size,
            progress=progress,
            **asdict(model),
            **server.settings(judge),
        )
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
    table = new_table("verdict", "sensitivity", "specificity", caption=caption, caption_style="dim")
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
        say(f"Next: unmirage evaluate RUN --judge ... --calibration {out_file}")
    if invalid:
        fail(f"partial: {invalid} of {found.n} responses have no verdict and are left out of the rates", EXIT_PARTIAL)
