"""`unmirage evaluate MODEL --lmms-eval TASKS`: run benchmarks with lmms-eval and show its metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from unmirage.cli.console import err, out, print_json
from unmirage.cli.options import plain
from unmirage.errors import UserError
from unmirage.run.files import write_json_atomic

SCHEMA = "unmirage.lmms-eval/1"


def evaluate_by_lmms_eval(
    model: str,
    tasks: str,
    folder: Path | None,
    python: str,
    batch_size: int | None,
    limit: int | None,
    *,
    as_json: bool,
) -> None:
    """Evaluate a model with lmms-eval; print its metrics and write them to lmms_eval.json.

    Args:
        model: directory or hub id.
        tasks: lmms-eval task names, separated by commas.
        folder: output folder.
        python: Python of the environment that has lmms-eval.
        batch_size: questions per batch; None for 1.
        limit: maximum number of questions per task.
        as_json: print the document instead of the table.
    """
    from unmirage.evaluate.lmms_eval import run_lmms_eval

    names = [name.strip() for name in tasks.split(",") if name.strip()]
    if not names:
        raise UserError("--lmms-eval: empty; name tasks of lmms-eval, separated by commas, such as mme,pope")
    if folder is None:
        raise UserError("--out: missing; name the folder for the results of lmms-eval")
    found = run_lmms_eval(model, names, folder, batch_size=batch_size or 1, limit=limit, python=python)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "model": model,
        "tasks": {
            task: {name: {"value": one.value, "stderr": one.stderr} for name, one in metrics.items()}
            for task, metrics in found.items()
        },
    }
    write_json_atomic(folder / "lmms_eval.json", document)
    if as_json:
        print_json(document)
    else:
        table = Table(box=box.SIMPLE_HEAD)
        for head in ("task", "metric", "value", "standard error"):
            table.add_column(head)
        for task, metrics in found.items():
            for name, one in metrics.items():
                table.add_row(
                    plain(task), plain(name), f"{one.value:g}", "" if one.stderr is None else f"{one.stderr:g}"
                )
        out.print(table)
    err.print(f"Written: {folder / 'lmms_eval.json'}", markup=False, soft_wrap=True)
