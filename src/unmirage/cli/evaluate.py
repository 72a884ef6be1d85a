"""`unmirage evaluate`: judge the responses of a run and print the rates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmirage.cli.console import EXIT_PARTIAL, err, fail, out, print_json
from unmirage.cli.plain import plain

if TYPE_CHECKING:
    from unmirage.evaluate import Gaps, Results
    from unmirage.run import RunDirectory


def evaluate_command(
    run: Annotated[Path, typer.Argument(help="Run directory of `unmirage attack`.")],
    judge: Annotated[str, typer.Option(help="phrases, or exact:PATH/truth.json.")] = "phrases",
    json_output: Annotated[bool, typer.Option("--json", help="Print results.json on stdout.")] = False,
) -> None:
    """Judge every response in RUN, and write ASR, RR and IR with intervals to its results.json."""
    from unmirage.cli.rates_table import rates_table
    from unmirage.evaluate import make_judge
    from unmirage.evaluate.run import evaluate_run
    from unmirage.run import existing_run

    found = existing_run(run)
    results = evaluate_run(found, make_judge(judge))
    found.write_json(found.results_file, results.to_json())
    if json_output:
        print_json(results.to_json())
    else:
        out.print(rates_table(results))
    err.print(f"Next: unmirage report {run}", markup=False, soft_wrap=True)
    _require_complete(found, results)


def _require_complete(run: RunDirectory, results: Results) -> None:
    """End with the status for partial results if a query has no response, or a response no verdict."""
    from unmirage.evaluate import find_gaps, stops_at_success

    stopped = stops_at_success(results.settings)
    said: list[str] = []
    with run.store() as store:
        for name in results.models:
            said += _gaps(name, find_gaps(store, results.judge, name, stopped=stopped))
    if said:
        fail(f"partial: {'; '.join(said)}; they are left out of the rates", EXIT_PARTIAL)


def _gaps(name: str, found: Gaps) -> list[str]:
    """Return what is missing from one model's rates, in words."""
    said = [f"{name} has not answered {found.unanswered} queries"] if found.unanswered else []
    if found.failed:
        said.append(f"{found.failed} queries failed with {name} (most often: {plain(found.reason, 200)})")
    if found.invalid:
        said.append(f"{found.invalid} responses of {name} have no verdict")
    return said
