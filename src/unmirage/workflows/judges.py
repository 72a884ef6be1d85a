"""Create judges from what users name, and read calibrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.errors import UserError, unknown
from unmirage.workflows.models import asks_server
from unmirage.workflows.settings import resolve

if TYPE_CHECKING:
    from unmirage.data.images import Pictures
    from unmirage.evaluate import Judge
    from unmirage.evaluate.calibration import JudgeCalibration


def make_judges(
    judges: Sequence[str | Judge],
    rubric: str = "harm",
    *,
    schema: bool = False,
    pictures: Pictures | None = None,
    cache: Path | None = None,
    endpoint: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
) -> list[Judge]:
    """Return the judges that the user named.

    Args:
        judges: such as "phrases" or "endpoint:URL#model-name", or judges themselves.
        rubric: "harm" or "relevance".
        schema: servers hold replies to a JSON schema.
        pictures: what the judges see; None for nothing.
        cache: file that keeps what servers reply.
        endpoint: settings of servers; None values were not given.
        batch_size: for a judge that is loaded here.

    Raises:
        UserError: no such judge or rubric, or two judges have the same name.
    """
    from unmirage.evaluate.judges import RUBRICS, JudgeOptions, make_judge
    from unmirage.models.endpoint import EndpointSettings

    if rubric not in RUBRICS:
        raise unknown("rubric", rubric, RUBRICS)
    if schema and not any(asks_server(one) for one in judges if isinstance(one, str)):
        raise UserError("--judge-schema: is for servers, and none judges; valid: with --judge endpoint:URL#model")
    options = JudgeOptions(
        rubric="harm" if rubric == "harm" else "relevance",
        pictures=pictures,
        cache=cache,
        settings=resolve(EndpointSettings, None, endpoint or {}, None),
        held=schema,
        batch_size=batch_size,
    )
    made = [make_judge(one, options) if isinstance(one, str) else one for one in judges]
    names = [judge.name for judge in made]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"--judge: two judges are called '{twice}'; valid: judges with different names")
    return made


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
