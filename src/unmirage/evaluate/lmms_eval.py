"""Run benchmarks with lmms-eval and read their metrics, for benchmarks that have no suite in this package.

lmms-eval runs as a separate process, so it may be installed in another environment.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from unmirage.documents import Document
from unmirage.errors import UserError
from unmirage.run.files import read_json

_INSTALL = "pip install lmms-eval (https://github.com/EvolvingLMMs-Lab/lmms-eval)"
_STDERR = "_stderr"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric in the task's own unit, with its standard error, or None if it has none."""

    value: float
    stderr: float | None


Metrics = dict[str, dict[str, Metric]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LmmsResults(Document):
    """The metrics of a model by task, the document `unmirage.lmms-eval/1`."""

    FILE: ClassVar[str] = "lmms_eval.json"
    WRITER: ClassVar[str] = "unmirage evaluate MODEL --lmms-eval TASKS --out FOLDER"

    schema: Literal["unmirage.lmms-eval/1"] = "unmirage.lmms-eval/1"
    model: str
    tasks: Metrics


class _ResultsFile(BaseModel):
    """The fields of `*_results.json` that are read: task -> metrics, such as "exact_match,none": 0.5."""

    model_config = ConfigDict(extra="ignore")

    results: dict[str, dict[str, Any]]


def run_lmms_eval(
    model: str | Path,
    tasks: Sequence[str],
    out: Path,
    *,
    kind: str = "llava_hf",
    model_args: Mapping[str, str] | None = None,
    batch_size: int = 1,
    limit: int | None = None,
    python: str = "python",
) -> Metrics:
    """Evaluate a model with lmms-eval and return its metrics as {task: {metric: value and standard error}}.

    The output of lmms-eval is written to `out`/lmms_eval.log.

    Args:
        model: Hugging Face directory or hub id.
        tasks: task names of lmms-eval.
        out: folder for the results.
        kind: model type of lmms-eval.
        model_args: additional model arguments, such as {"dtype": "bfloat16"}.
        batch_size: questions per batch.
        limit: maximum questions per task; None for all.
        python: Python executable of the environment with lmms-eval; a plain name is searched on the PATH.

    Raises:
        UserError: lmms-eval is missing or fails, or its results are unreadable.
    """
    program = shutil.which(python)
    if program is None:
        raise UserError(f"lmms-eval: '{python}' not found. Pass a Python executable with lmms-eval, or {_INSTALL}")
    command = [program, *_arguments(model, tasks, out, kind, model_args or {}, batch_size, limit)]
    out.mkdir(parents=True, exist_ok=True)
    log = out / "lmms_eval.log"
    before = set(_results_files(out))
    with log.open("wb") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)  # noqa: S603 - no shell
    if done.returncode:
        raise _failed(log, done.returncode, python)
    written = [path for path in _results_files(out) if path not in before]
    if not written:
        raise UserError(f"{out}: lmms-eval succeeded but wrote no *_results.json; see {log}")
    return read_results(max(written, key=lambda path: path.stat().st_mtime_ns))


def _arguments(
    model: str | Path,
    tasks: Sequence[str],
    out: Path,
    kind: str,
    model_args: Mapping[str, str],
    batch_size: int,
    limit: int | None,
) -> list[str]:
    settings = {"pretrained": str(model), **model_args}
    for name, value in settings.items():
        if "," in value or "=" in name:
            raise UserError(f"model_args: {name}={value} cannot be passed to lmms-eval; valid: values without commas")
    for task in tasks:
        if not task or "," in task or task.startswith("-"):
            raise UserError(f"tasks: '{task}' is not a valid name; `{_listing()}` lists the valid names")
    if not tasks:
        raise UserError(f"tasks: no task given; `{_listing()}` lists the valid names")
    arguments = ["-m", "lmms_eval", "--model", kind]
    arguments += ["--model_args", ",".join(f"{name}={value}" for name, value in settings.items())]
    arguments += ["--tasks", ",".join(tasks), "--batch_size", str(batch_size), "--output_path", str(out)]
    return arguments if limit is None else [*arguments, "--limit", str(limit)]


def _listing() -> str:
    return "python -m lmms_eval --tasks list"


def _results_files(out: Path) -> list[Path]:
    """Return the result files below the folder. lmms-eval writes them to a subfolder named after the model."""
    return sorted(out.rglob("*_results.json"))


def _failed(log: Path, status: int, python: str) -> UserError:
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    last = lines[-1][:200] if lines else "no output"
    if "No module named" in last and "lmms_eval" in last:
        return UserError(f"lmms-eval: not installed for '{python}'; {_INSTALL}")
    return UserError(f"lmms-eval: exited with status {status} ({last}); see {log}")


def read_results(path: Path) -> Metrics:
    """Return the metrics in a `*_results.json` of lmms-eval.

    A metric is named "exact_match", or "exact_match,strict" if a filter other than "none" was applied. Values that are
    not numbers (aliases, lists, standard errors of "N/A") are ignored. A task without numbers has no metrics.

    Raises:
        UserError: a field is invalid; the message names the file and the field.
    """
    loaded = read_json(path, constants=True)
    try:
        found = _ResultsFile.model_validate(loaded)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "results"
        raise UserError(f"{path}: field '{field}': {first['msg']}; valid: results of lmms-eval by task") from None
    return {task: _metrics(values) for task, values in found.results.items()}


def _metrics(values: Mapping[str, Any]) -> dict[str, Metric]:
    found = {}
    for key, value in values.items():
        name, _, how = key.partition(",")
        number = _number(value)
        if how and number is not None and not name.endswith(_STDERR):
            error = _number(values.get(f"{name}{_STDERR},{how}"))
            found[name if how == "none" else key] = Metric(number, error)
    return found


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
