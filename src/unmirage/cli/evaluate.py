"""`unmirage evaluate`: judge the responses of a run and print the rates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmirage.cli.console import EXIT_PARTIAL, err, fail, out, print_json


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
    invalid = sum(rates.invalid for rates in results.models.values())
    if invalid:
        fail(f"{invalid} responses have no verdict; they are left out of the rates", EXIT_PARTIAL)
