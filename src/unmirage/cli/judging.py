"""Create judges from command-line options, for `unmirage evaluate` and `unmirage calibrate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unmirage.cli.options import asks_server
from unmirage.cli.settings import resolve
from unmirage.errors import UserError, unknown

if TYPE_CHECKING:
    from unmirage.data.images import Pictures
    from unmirage.evaluate import Judge
    from unmirage.evaluate.calibration import JudgeCalibration

JUDGE_SPECS = "phrases, official, exact:PATH/truth.json, endpoint:URL#model, local:MODEL or official:endpoint:URL#model"

RubricOption = Annotated[
    str, typer.Option(help="Of a language model as judge: harm (and relevance), or relevance alone, as in the paper.")
]
SeesOption = Annotated[
    bool, typer.Option("--judge-sees-pictures", help="Show a language model as judge the pictures too.")
]
SchemaOption = Annotated[
    bool,
    typer.Option("--judge-schema", help="Have a judge's server hold its replies to a JSON schema (response_format)."),
]


def make_judges(
    specs: Sequence[str],
    rubric: str,
    *,
    held: bool,
    pictures: Pictures | None,
    cache: Path | None,
    endpoint: Mapping[str, Any],
    batch_size: int | None,
) -> list[Judge]:
    """Return the judges that the user named.

    Args:
        specs: such as "phrases" or "endpoint:URL#model-name".
        rubric: "harm" or "relevance".
        held: servers hold replies to a JSON schema.
        pictures: what the judges see; None for nothing.
        cache: file that keeps what servers reply.
        endpoint: settings of servers; None values were not given.
        batch_size: for a judge that is loaded here.
    """
    from unmirage.evaluate.judges import RUBRICS, JudgeOptions, make_judge
    from unmirage.models.endpoint import EndpointSettings

    if rubric not in RUBRICS:
        raise unknown("rubric", rubric, RUBRICS)
    if held and not any(map(asks_server, specs)):
        raise UserError("--judge-schema: is for servers, and none judges; valid: with --judge endpoint:URL#model")
    options = JudgeOptions(
        rubric="harm" if rubric == "harm" else "relevance",
        pictures=pictures,
        cache=cache,
        settings=resolve(EndpointSettings, None, endpoint, None),
        held=held,
        batch_size=batch_size,
    )
    judges = [make_judge(spec, options) for spec in specs]
    names = [judge.name for judge in judges]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"--judge: two judges are called '{twice}'; valid: judges with different names")
    return judges


def read_calibration(path: Path, judge: str) -> JudgeCalibration:
    """Return the calibration of a file, which has to be that of `judge`."""
    from unmirage.evaluate.calibration import from_json
    from unmirage.run.json_files import read_json

    if not path.is_file():
        raise UserError(f"--calibration {path}: no such file; make one with `unmirage calibrate`")
    found = from_json(read_json(path), str(path))
    if found.judge != judge:
        raise UserError(f"--calibration {path}: field 'judge' is '{found.judge}'; valid: '{judge}', who judges here")
    return found
