"""`unmirage evaluate`: judge the responses of a run and print the rates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmirage.cli.console import EXIT_PARTIAL, err, fail, out, print_json

if TYPE_CHECKING:
    from unmirage.evaluate import Results
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
    with run.store() as store:
        missing = {name: len(store.unanswered(name)) for name in results.models}
    gaps = [f"{name} has not answered {count} queries" for name, count in missing.items() if count]
    gaps += [
        f"{rates.invalid} responses of {name} have no verdict"
        for name, rates in results.models.items()
        if rates.invalid
    ]
    if gaps:
        fail(f"partial: {'; '.join(gaps)}; they are left out of the rates", EXIT_PARTIAL)
