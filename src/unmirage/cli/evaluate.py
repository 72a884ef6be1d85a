"""`unmirage evaluate`: judge the responses of a run, or run a benchmark first; print the rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from unmirage.cli import judge_options, options
from unmirage.cli.console import end_by_gate, out, plain, print_json, say
from unmirage.cli.progress import StageProgress
from unmirage.errors import UserError
from unmirage.run.paths import quoted

if TYPE_CHECKING:
    from unmirage.evaluate import Results
    from unmirage.evaluate.lmms_eval import Metrics


def evaluate_command(
    target: Annotated[
        str | None,
        typer.Argument(metavar="RUN_OR_MODEL", help="A run directory; with --suite, a model.", show_default=False),
    ] = None,
    *,
    judge: judge_options.JudgeOption = None,
    ensemble: judge_options.EnsembleOption = None,
    judge_model: judge_options.JudgeModel,
    calibration: judge_options.CalibrationOption = None,
    canaries: judge_options.CanariesOption = True,
    reference: judge_options.ReferenceOption = None,
    encoder: judge_options.RelevanceEncoderOption = None,
    suite: Annotated[str | None, typer.Option(help="Benchmark to run on RUN_OR_MODEL first; `list` shows all.")] = None,
    data: Annotated[
        str | None,
        typer.Option(help="With --suite: its file or folder, or hf:NAME[:CONFIG][@SPLIT] (default: the hub)."),
    ] = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="With --suite: run directory.")] = None,
    images: options.ImagesOption = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="With --suite: maximum number of queries (default: all).")
    ] = None,
    seed: options.SeedOption = 0,
    max_new_tokens: Annotated[
        int | None, typer.Option(min=1, help="With --suite: maximum new tokens per response (default: the suite's).")
    ] = None,
    batch_size: options.BatchSizeOption = None,
    loading: options.Loading,
    server: options.PricedServer,
    lmms_eval: Annotated[
        str | None, typer.Option("--lmms-eval", help="Run these tasks with lmms-eval, such as mme,pope; needs --out.")
    ] = None,
    lmms_python: Annotated[
        str, typer.Option("--lmms-python", help="Python of the environment that has lmms-eval.")
    ] = "python",
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            help="End with status 3 if this holds, or 4 if missing verdicts decide: 'asr.after>0.15 or rr.after>0.3'. "
            "Repeatable."
        ),
    ] = None,
    junit: judge_options.JunitOption = None,
    json_output: options.JsonOption = False,
) -> None:
    """Judge every response of a run, and write all rates with intervals to results.json."""
    from unmirage.evaluate.gate import check_gate, check_relevance
    from unmirage.evaluate.gate_names import Names
    from unmirage.evaluate.results import Results
    from unmirage.run import existing_run
    from unmirage.workflows.benchmark import ask_suite, run_lmms_tasks
    from unmirage.workflows.evaluate import judge_and_rate

    if suite == "list":
        out.print(suites_table())
        return
    if target is None:
        raise UserError("RUN_OR_MODEL: missing; valid: a run of `unmirage attack`, or a model with --suite NAME")
    if lmms_eval is not None:
        if out_dir is None:
            raise UserError("--out: missing; name the folder for the results of lmms-eval")
        found = run_lmms_tasks(target, lmms_eval, out_dir, python=lmms_python, batch_size=batch_size, limit=limit)
        if json_output:
            print_json(found.to_dict())
        else:
            out.print(_lmms_table(found.tasks))
        say(f"Written: {out_dir / found.FILE}")
        return
    judges = judge or ["phrases"]
    endpoint = server.settings(target, *judges)
    for condition in fail_if or ():
        check_gate(condition, Names.of(Results))
        check_relevance(condition, measured=encoder is not None)
    if junit is not None and not fail_if:
        raise UserError("--junit: needs at least one --fail-if; add one, or leave --junit out")
    if suite is None:
        asking = {"out": out_dir, "data": data, "images": images, "limit": limit, "max-new-tokens": max_new_tokens}
        asking |= {name.replace("_", "-"): value for name, value in asdict(loading).items() if value}
        for option, value in asking.items():
            if value is not None:
                raise UserError(f"--{option}: needs --suite NAME; add it, or leave this option out")
        run = existing_run(Path(target))
    elif out_dir is None:
        raise UserError("--out: missing; name the run directory for the responses to --suite")
    else:
        options.quiet_libraries()
        with StageProgress() as progress:
            run = ask_suite(
                loading.vlm(target, endpoint),
                suite,
                data,
                out_dir,
                images=images,
                limit=limit,
                seed=seed,
                batch_size=batch_size,
                max_new_tokens=max_new_tokens,
                progress=progress,
            )
    with StageProgress(lines=False) as progress:
        results, missing = judge_and_rate(
            run,
            judges,
            batch_size=batch_size,
            endpoint=endpoint,
            ensemble=ensemble,
            calibration=calibration,
            canaries=canaries,
            reference=reference,
            encoder=encoder,
            progress=progress,
            **asdict(judge_model),
        )
    if json_output:
        print_json(results.to_dict())
    else:
        _print(results)
    say(f"Next: unmirage report {quoted(run.path)}")
    lacking = "they are left out of the rates; the bounds include them"
    partial = [f"partial: {'; '.join(missing)}; {lacking}"] if missing else []
    _check(results.to_dict(), fail_if or (), junit, partial)


def _lmms_table(tasks: Metrics) -> Table:
    table = Table("task", "metric", "value", "standard error", box=box.SIMPLE_HEAD)
    for task, metrics in tasks.items():
        for name, one in metrics.items():
            error = "" if one.stderr is None else f"{one.stderr:g}"
            table.add_row(plain(task), plain(name), f"{one.value:g}", error)
    return table


def _print(results: Results) -> None:
    from unmirage.cli.rates_table import notes, rates_table, scores_table

    if results.suite is None or results.suite.purpose != "utility":
        out.print(rates_table(results, out.width))
    if any(one.scores for one in results.models.values()):
        out.print(scores_table(results))
    for line in notes(results):
        out.print(line, markup=False, soft_wrap=True)


def _check(
    document: dict[str, Any], conditions: Sequence[str], junit: Path | None, partial: Sequence[str] = ()
) -> None:
    """Exit with the status for a failed gate, else for an undecided gate or missing responses.

    Args:
        junit: file for all outcomes.
        partial: what the rates lack.
    """
    from unmirage.evaluate.junit import junit as as_junit
    from unmirage.run.files import naming, write_text_atomic

    if junit is not None:
        with naming(junit):
            write_text_atomic(junit, as_junit(document, conditions))
    end_by_gate(document, conditions, partial)


def suites_table() -> Table:
    """Return a table of all suites, one per row."""
    from unmirage.evaluate.suites import SUITES

    table = Table(
        box=box.SIMPLE_HEAD,
        caption="hf:... is the default source; download the other suites and pass their file or folder with --data",
        caption_justify="left",
        caption_style="dim",
    )
    table.add_column("suite", no_wrap=True)
    table.add_column("purpose", no_wrap=True)
    table.add_column("description and source", overflow="fold")
    for _, suite in SUITES.each(lambda suite: suite):
        table.add_row(suite.name, suite.purpose, f"{suite.about}\n{suite.default or suite.hub}")
    return table
