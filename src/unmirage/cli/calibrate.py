"""`unmirage calibrate`: run a judge on labeled responses and report its error rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from unmirage.cli.console import EXIT_PARTIAL, fail, new_table, out, plain, print_json, say
from unmirage.cli.judge_options import JUDGE_SPECS, JudgeModel
from unmirage.cli.options import BatchSizeOption, ImagesOption, JsonOption, Server
from unmirage.cli.progress import StageProgress
from unmirage.errors import UserError
from unmirage.run.paths import quoted
from unmirage.text.formatting import with_interval

if TYPE_CHECKING:
    from unmirage.evaluate.calibration import JudgeCalibration
    from unmirage.evaluate.error_rates import Calibration, Judged
    from unmirage.records import Rate

_CAPTION = (
    "sensitivity: share of the responses with this label that get the verdict\n"
    "specificity: share of the other responses that do not get it\n"
    "informedness: sensitivity + specificity - 1; 0 for a judge that guesses\n"
    "percent, [95 % interval], counts"
)


def calibrate_command(
    judge: Annotated[str | None, typer.Argument(help=f"{JUDGE_SPECS}.", show_default=False)] = None,
    labeled: Annotated[
        Path | None,
        typer.Argument(
            help="JSON, JSONL, CSV or Parquet of query, response, verdict (complied, refused, irrelevant or partial).",
            show_default=False,
        ),
    ] = None,
    *,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Human labels of the package instead of LABELED: xstest, msts, or a part such as msts:french; "
            "`list` shows all.",
            show_default=False,
        ),
    ] = None,
    label_map: Annotated[
        list[str] | None,
        typer.Option(help="Map labels to verdicts: LABEL=VERDICT,..., such as answer=complied. Repeatable."),
    ] = None,
    columns: Annotated[
        str, typer.Option(help="Columns of LABELED: OURS=THEIRS,..., such as verdict=rating.", show_default=False)
    ] = "",
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
    from unmirage.data.tables import parse_columns
    from unmirage.evaluate.labels import SHIPPED, parse_label_map

    if labels == "list":
        for one in SHIPPED.values():
            out.print(f"{one!r}\n", markup=False, soft_wrap=True)
        return
    if judge is None:
        raise UserError(f"JUDGE is missing; valid: {JUDGE_SPECS}")
    with StageProgress(lines=False) as progress:
        found = calibrate(
            judge,
            labeled,
            labels=labels,
            label_map=parse_label_map(label_map or ()),
            columns=parse_columns(columns),
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
    out.print(f"{plain(found.judge)}, {found.n} labeled responses", markup=False)
    table = new_table("verdict", "sensitivity", "specificity", "informedness", caption=_CAPTION, caption_style="dim")
    for verdict, one in found.verdicts.items():
        table.add_row(str(verdict), _cell(one.sensitivity), _cell(one.specificity), _informedness(one))
    out.print(table)
    kappa = "n/a" if found.kappa is None else f"{found.kappa:.2f}"
    out.print(f"accuracy {_cell(found.accuracy)}, Cohen's kappa {kappa}", markup=False)
    if found.annotators is not None:
        out.print(f"all annotators agree on {_cell(found.annotators)}", markup=False)
    if found.groups:
        _print_groups(found)
    if {label.casefold() for label in found.by_label} - set(asdict(found.confusion)):
        _print_labels(found.by_label)
    for line in _notes(found):
        out.print(line, markup=False, soft_wrap=True)


def _informedness(one: Calibration) -> str:
    found = one.informedness
    return "n/a" if found is None else with_interval(found.value, found.low, found.high)


def _print_groups(found: JudgeCalibration) -> None:
    table = new_table("group", "n", "accuracy", "verdict", "sensitivity", "specificity")
    table.columns[0].overflow = "fold"  # names of models are long, and none may lose its end
    for name, one in found.groups.items():
        start: list[str | Text] = [plain(name), str(one.n), _share(one.accuracy)]
        for verdict, own in one.verdicts.items():
            table.add_row(*start, str(verdict), _share(own.sensitivity), _share(own.specificity))
            start = ["", "", ""]
    out.print(table)


def _share(rate: Rate) -> str:
    return with_interval(rate.value, rate.low, rate.high)


def _print_labels(by_label: Mapping[str, Judged]) -> None:
    counts = {label: asdict(one) for label, one in by_label.items()}
    given = [verdict for verdict in next(iter(counts.values())) if any(one[verdict] for one in counts.values())]
    table = new_table("label", "n", *given)
    for label, one in counts.items():
        table.add_row(plain(label), str(sum(one.values())), *(str(one[verdict]) for verdict in given))
    out.print(table)


def _notes(found: JudgeCalibration) -> list[str]:
    """Return what the rates leave out, and for which verdicts the judge is useless."""
    partial = sum(asdict(found.confusion.partial).values())
    notes = (
        [f"{partial} responses with a partial label count in no rate; --label-map can give them a verdict"]
        if partial
        else []
    )
    notes += [f"{count} responses are left out: {reason}" for reason, count in found.excluded.items()]
    if found.described:
        notes.append(
            f"the pictures do not ship: {found.described} queries contain a description of the picture instead"
        )
    return notes + [f"{verdict}: {problem}" for verdict, one in found.verdicts.items() if (problem := one.problem())]


def _cell(rate: Rate) -> str:
    if rate.value is None:
        return "n/a (no such label)"
    return f"{with_interval(rate.value, rate.low, rate.high)} {rate.k:g}/{rate.n}"


def _end(found: JudgeCalibration, out_file: Path | None) -> None:
    one = next(iter(found.verdicts.values()))
    invalid = one.sensitivity.invalid + one.specificity.invalid
    if out_file is not None and found.useful:
        say(f"Next: unmirage evaluate RUN --judge ... --calibration {quoted(out_file)}")
    elif not found.useful:
        say("Do not correct rates with this calibration: the judge is not shown to be better than chance")
    if invalid:
        fail(f"partial: {invalid} of {found.n} responses have no verdict and are left out of the rates", EXIT_PARTIAL)
