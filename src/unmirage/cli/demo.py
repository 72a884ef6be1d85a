"""`unmirage demo`: the whole story on the built-in world."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from unmirage.cli.console import err, out, print_json
from unmirage.cli.progress import StageProgress
from unmirage.run import RunDirectory, open_run, write_text_atomic


def demo_command(
    seeds: Annotated[int, typer.Option(min=1, help="How many worlds to run; rates are pooled over them.")] = 1,
    out_dir: Annotated[Path, typer.Option("--out", help="Run directory; an unfinished one is continued.")] = Path(
        "unmirage-demo"
    ),
    everything: Annotated[
        bool, typer.Option("--full", help="Also search for words that are not in the data, and explain refusals.")
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print results.json on stdout.")] = False,
) -> None:
    """Produce the safety mirage in a tiny VLM, attack it, repair it, and report.

    Trains a base model, three SFT baselines, NPO and RMU on a small fictional world (CPU, a few minutes).
    """
    from unmirage.cli.quiet import quiet_libraries
    from unmirage.report.run_page import render_run_page
    from unmirage.testbed.full import copy_for_report, full
    from unmirage.testbed.settings import StudySettings
    from unmirage.testbed.study import open_study
    from unmirage.testbed.summary import summarise

    quiet_libraries()
    settings = StudySettings()
    started = time.perf_counter()
    with ExitStack() as stack:
        run = stack.enter_context(open_run(out_dir, {"demo": True, **settings.model_dump(mode="json")}))
        with StageProgress() as progress:
            studies, more = [], []
            for seed in range(seeds):
                progress.prefix = f"seed {seed}: " if seeds > 1 else ""
                study = stack.enter_context(open_study(out_dir / f"seed-{seed}", settings, seed, progress))
                study.complete()
                studies.append(study)
                if everything:
                    more.append(full(study))
        results = summarise(studies)
        run.write_json(run.results_file, results.to_json())
        write_text_atomic(run.path / "audit.json", studies[0].audit_file.read_text(encoding="utf-8"))
        if everything:
            run.write_json(run.path / "full.json", {"seeds": more})
            copy_for_report(studies[0], run.path)
        write_text_atomic(run.report_file, render_run_page(run))
    if json_output:
        print_json(results.to_json())
    else:
        from unmirage.cli.rates_table import rates_table

        out.print(rates_table(results, out.width))
        for document in more:
            _print_full(document)
    _print_end(run, time.perf_counter() - started)


def _print_end(run: RunDirectory, seconds: float) -> None:
    err.print(f"Finished in {seconds:.0f} s. Report: {run.report_file}", markup=False, soft_wrap=True)
    err.print("Next, on your own data: unmirage audit YOUR_DATA.json --html audit.html", markup=False)


def _print_full(document: dict[str, Any]) -> None:
    """Say what a search and an explanation found on one seed, a line each."""
    out.print(f"seed {document['seed']}, {document['model']}, on unsafe queries that the search did not see:")
    for word, rates in document["asr"].items():
        after = {form: f"{100 * rates[form]['value']:.1f} %" for form in ("rewritten", "replacement")}
        out.print(
            f"  ASR of '{word}': {after['rewritten']} rewritten, {after['replacement']} in the place of the opener",
            markup=False,
        )
    for name, found in document["explain"].items():
        cause = found["opener_is_cause"]
        out.print(
            f"  {name}: refuses with probability {found['p_refusal']:.2f}; the opener matters most in "
            f"{cause['k']:g} of {cause['n']} queries, and brings {found['opener_change']:+.2f} of it"
        )
