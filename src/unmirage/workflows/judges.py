"""Create judges from the user's specifications, and read calibrations."""

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
    """Return the judges that the user specified.

    Args:
        judges: specifications such as "phrases" or "endpoint:URL#model-name", or judge objects.
        rubric: "harm" or "relevance".
        schema: request JSON-schema replies from servers.
        pictures: pictures that the judges see; None for none.
        cache: cache file for server replies.
        endpoint: settings of servers; None values were not given.
        batch_size: queries per batch, for a local judge model.

    Raises:
        UserError: a judge or the rubric is unknown, or two judges have the same name.
    """
    from unmirage.evaluate.judges import RUBRICS, JudgeOptions, make_judge
    from unmirage.models.endpoint import EndpointSettings

    if rubric not in RUBRICS:
        raise unknown("rubric", rubric, RUBRICS)
    if schema and not any(asks_server(one) for one in judges if isinstance(one, str)):
        raise UserError("--judge-schema: needs a judge on a server; add --judge endpoint:URL#model")
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
        raise UserError(f"--judge: two judges are named '{twice}'; give judges with different names")
    return made


def read_calibration(path: Path, judge: str) -> JudgeCalibration:
    """Return the calibration in a file. It must belong to `judge`."""
    from unmirage.evaluate.calibration import from_json
    from unmirage.run.json_files import read_json

    if not path.is_file():
        raise UserError(f"--calibration {path}: no such file; create one with `unmirage calibrate`")
    found = from_json(read_json(path), str(path))
    if found.judge != judge:
        raise UserError(
            f"--calibration {path}: field 'judge' is '{found.judge}'; valid: '{judge}', the judge of these responses"
        )
    return found
