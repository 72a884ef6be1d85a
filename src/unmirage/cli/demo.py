"""`unmirage demo`: audit, align, attack, evaluate and report on the built-in synthetic world."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from unmirage.cli.console import EXIT_PARTIAL, err, fail, out, print_json
from unmirage.cli.options import plain
from unmirage.cli.progress import StageProgress
from unmirage.errors import UserError, unknown
from unmirage.run import Run, open_run, write_text_atomic
from unmirage.run.files import naming


def demo_command(
    seeds: Annotated[int, typer.Option(min=1, help="Number of worlds; rates are pooled over them (default 1).")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first world; the others follow (default 0).")] = 0,
    out_dir: Annotated[Path, typer.Option("--out", help="Run directory; an unfinished one is continued.")] = Path(
        "unmirage-demo"
    ),
    signal: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Correlation between a visible mark and being restricted; 0: nothing marks (default)."
        ),
    ] = 0.0,
    arms: Annotated[
        str, typer.Option(help="Models to train, separated by commas, or `all`; default: the five of the demo.")
    ] = "",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Training processes of one thread each (default: cores, at most 2).")
    ] = None,
    train_base: Annotated[
        bool, typer.Option("--train-base", help="Train the base model of world 0 in place of using the shipped one.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--full", help="Also search for words that are not in the data, and explain refusals.")
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print results.json on stdout.")] = False,
) -> None:
    """Reproduce the safety mirage in a tiny VLM, attack it, repair it, and write a report.

    Trains SFT, NPO and RMU models on a small fictional world (CPU, a few minutes).
    """
    from unmirage.cli.options import quiet_libraries
    from unmirage.report.run_page import render_run_page
    from unmirage.testbed.full import MIRAGE, copy_for_report, full
    from unmirage.testbed.settings import study_settings
    from unmirage.testbed.study import Seeds, base_choice, open_study, refuse_old_world
    from unmirage.testbed.summary import summarise

    quiet_libraries()
    settings = study_settings(_named(arms), signal)
    if everything and MIRAGE not in settings.models:
        raise UserError(f"--full: needs the model '{MIRAGE}'; add it to --arms")
    processes = workers or min(2, os.cpu_count() or 1)
    started = time.perf_counter()
    refuse_old_world(out_dir)
    with ExitStack() as stack:
        _refuse_other_arms(out_dir, settings.models)
        config = {"demo": True, **settings.model_dump(mode="json"), **base_choice(train_base)}
        run = stack.enter_context(open_run(out_dir, config))
        with StageProgress() as progress:
            studies, more = [], []
            for world in range(seed, seed + seeds):
                progress.prefix = f"world {world}: " if seeds > 1 else ""
                study = stack.enter_context(
                    open_study(out_dir / f"seed-{world}", settings, Seeds.all(world), progress, train_base=train_base)
                )
                study.complete(processes)
                studies.append(study)
                if everything:
                    more.append(full(study))
        failures = [failure for study in studies for failure in study.failures()]
        results = summarise(studies)
        run.write_json(run.results_file, results.to_dict())
        write_text_atomic(run.path / "audit.json", studies[0].audit_file.read_text(encoding="utf-8"))
        if everything:
            run.write_json(run.path / "full.json", {"seeds": more})
            copy_for_report(studies[0], run.path)
        with naming(run.report_file):
            write_text_atomic(run.report_file, render_run_page(run))
    if json_output:
        print_json(results.to_dict())
    else:
        from unmirage.cli.rates_table import rates_table

        out.print(rates_table(results, out.width))
        for document in more:
            _print_full(document)
    _print_end(run, time.perf_counter() - started)
    if failures:
        reason, times = Counter(failure.reason for failure in failures).most_common(1)[0]
        fail(
            f"partial: {len(failures)} queries have no response (most often: {plain(reason, 200)}, {times} times); "
            "they are left out of the rates",
            EXIT_PARTIAL,
        )


def _named(arms: str) -> list[str]:
    """Return the arms in an option's value, in table order.

    Raises:
        UserError: an arm is unknown.
    """
    from unmirage.testbed.settings import ARMS, DEMO_ARMS

    names = [name.strip() for name in arms.split(",") if name.strip()]
    if names == ["all"]:
        return list(ARMS)
    if missing := [name for name in names if name not in ARMS]:
        raise unknown("arm", missing[0], ARMS)
    return [name for name in ARMS if name in names] if names else list(DEMO_ARMS)


def _refuse_other_arms(out_dir: Path, arms: Collection[str]) -> None:
    """Raise `UserError` if the run directory has other arms, because its configuration cannot change."""
    run = Run(out_dir)
    before = run.config().get("models") if run.config_file.is_file() else None
    if isinstance(before, dict) and set(before) != set(arms):
        raise UserError(
            f"{out_dir}: was made with --arms {','.join(before)}, now {','.join(arms)}; name a new directory with --out"
        )


def _print_end(run: Run, seconds: float) -> None:
    err.print(f"Finished in {seconds:.0f} s. Report: {run.report_file}", markup=False, soft_wrap=True)
    err.print("Next, on your own data: unmirage audit YOUR_DATA.json --html audit.html", markup=False)


def _print_full(document: dict[str, Any]) -> None:
    """Print the results of the search and the explanation for one seed, one line each."""
    out.print(f"seed {document['seed']}, {document['model']}, on unsafe queries held out from the search:")
    for word, rates in document["asr"].items():
        after = {form: f"{100 * rates[form]['value']:.1f} %" for form in ("rewritten", "replacement")}
        out.print(
            f"  ASR of '{word}': {after['rewritten']} rewritten, {after['replacement']} in place of the opener",
            markup=False,
        )
    for name, found in document["explain"].items():
        cause = found["opener_is_cause"]
        out.print(
            f"  {name}: refuses with probability {found['p_refusal']:.2f}; the opener has the largest effect in "
            f"{cause['k']:g} of {cause['n']} queries, and changes the probability by {found['opener_change']:+.2f}"
        )
