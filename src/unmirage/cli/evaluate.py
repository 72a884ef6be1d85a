"""`unmirage evaluate`: judge the responses of a run, or ask a model a benchmark first; print the rates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unmirage.cli.console import EXIT_GATE, EXIT_PARTIAL, err, fail, out, print_json
from unmirage.cli.judging import JUDGE_SPECS, RubricOption, SchemaOption, SeesOption, make_judges, read_calibration
from unmirage.cli.lmms_eval import evaluate_by_lmms_eval
from unmirage.cli.options import (
    BatchSizeOption,
    ConcurrencyOption,
    ImagesOption,
    NameOption,
    PriceInOption,
    PriceOutOption,
    RequestsOption,
    RevisionOption,
    SeedOption,
    TimeoutOption,
    TrustOption,
    endpoint_options,
)
from unmirage.cli.plain import plain
from unmirage.cli.progress import StageProgress
from unmirage.cli.quiet import quiet_libraries
from unmirage.errors import UserError

if TYPE_CHECKING:
    from unmirage.evaluate import Gaps, Judge, Results
    from unmirage.run import RunDirectory


def evaluate_command(
    target: Annotated[
        str | None,
        typer.Argument(metavar="RUN_OR_MODEL", help="A run directory; with --suite, a model.", show_default=False),
    ] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option(help=f"{JUDGE_SPECS}. `official` is the rule of the paper's code. Repeatable."),
    ] = None,
    ensemble: Annotated[
        str | None, typer.Option(help="majority or any: all judges together stand behind the rates.")
    ] = None,
    rubric: RubricOption = "harm",
    sees: SeesOption = False,
    schema: SchemaOption = False,
    calibration: Annotated[
        Path | None, typer.Option(help="File of `unmirage calibrate`: rates are also corrected for the judge's errors.")
    ] = None,
    canaries: Annotated[bool, typer.Option(help="Attack judges that are language models, and say what flips.")] = True,
    reference: Annotated[
        str | None, typer.Option(help="Model that the others are compared with; default: the first.")
    ] = None,
    suite: Annotated[str | None, typer.Option(help="Benchmark to ask RUN_OR_MODEL first; `list` shows all.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Of --suite: its file or folder, or hf:NAME[:CONFIG][@SPLIT].")
    ] = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="Of --suite: the run directory.")] = None,
    images: ImagesOption = None,
    name: NameOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Of --suite: at most so many queries.")] = None,
    seed: SeedOption = 0,
    max_new_tokens: Annotated[
        int | None, typer.Option(min=1, help="Of --suite: tokens that an answer may have; default: the suite's.")
    ] = None,
    batch_size: BatchSizeOption = None,
    revision: RevisionOption = None,
    trust_remote_code: TrustOption = False,
    concurrency: ConcurrencyOption = None,
    requests_per_minute: RequestsOption = None,
    timeout: TimeoutOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    lmms_eval: Annotated[
        str | None, typer.Option("--lmms-eval", help="Leave these tasks to lmms-eval, such as mme,pope; needs --out.")
    ] = None,
    lmms_python: Annotated[
        str, typer.Option("--lmms-python", help="Python of the environment that has lmms-eval.")
    ] = "python",
    fail_if: Annotated[
        list[str] | None, typer.Option(help="End with status 3 if this holds: 'asr.after>0.15 or utility<0.75'.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the outcome of --fail-if here, as JUnit XML.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print results.json on stdout.")] = False,
) -> None:
    """Judge every response in a run, and write all rates with intervals to its results.json."""
    from unmirage.cli.evaluate_suite import ask_suite, suites_table
    from unmirage.cli.gate import check_gate
    from unmirage.evaluate.pictures import pictures_of
    from unmirage.run import existing_run

    if suite == "list":
        out.print(suites_table())
        return
    if target is None:
        raise UserError("RUN_OR_MODEL: missing; valid: a run of `unmirage attack`, or a model with --suite NAME")
    if lmms_eval is not None:
        evaluate_by_lmms_eval(target, lmms_eval, out_dir, lmms_python, batch_size, limit, as_json=json_output)
        return
    specs = judge or ["phrases"]
    endpoint = endpoint_options(
        (target, *specs),
        concurrency=concurrency,
        requests_per_minute=requests_per_minute,
        timeout=timeout,
        price_in=price_in,
        price_out=price_out,
    )
    for condition in fail_if or ():
        check_gate(condition)
    if junit is not None and not fail_if:
        raise UserError("--junit: writes the outcome of --fail-if, and none is given")
    if suite is None:
        if out_dir is not None or data is not None:
            raise UserError(f"--{'out' if out_dir else 'data'}: is for --suite NAME, and none is given")
        run = existing_run(Path(target))
    else:
        quiet_libraries()
        run = ask_suite(
            model=target,
            suite=suite,
            data=data,
            out=out_dir,
            images=images,
            name=name,
            limit=limit,
            seed=seed,
            batch_size=batch_size,
            max_new_tokens=max_new_tokens,
            endpoint=endpoint,
            revision=revision,
            trust_remote_code=trust_remote_code,
        )
    judges = make_judges(
        specs,
        rubric,
        held=schema,
        pictures=pictures_of(run) if sees else None,
        cache=run.path / ".judges.sqlite",
        endpoint=endpoint,
        batch_size=batch_size,
    )
    results = _evaluated(run, judges, ensemble, calibration, reference, canaries=canaries)
    if json_output:
        print_json(results.to_json())
    else:
        _print(results)
    err.print(f"Next: unmirage report {run.path}", markup=False, soft_wrap=True)
    _check(results.to_json(), fail_if or (), junit)
    _require_complete(run, results)


def _evaluated(
    run: RunDirectory,
    judges: Sequence[Judge],
    ensemble: str | None,
    calibration: Path | None,
    reference: str | None,
    *,
    canaries: bool,
) -> Results:
    from unmirage.evaluate.assess import Judging, evaluate_run

    judging = Judging(judges=judges, ensemble=ensemble, canaries=canaries, reference=reference)
    if calibration is not None:
        judging = judging.calibrated(read_calibration(calibration, judging.name))
    with run.held(), StageProgress(lines=False) as progress:
        results = evaluate_run(run, judging, progress)
        run.write_json(run.results_file, results.to_json())
    for one in judges:
        accounting = getattr(one, "accounting", None)
        if accounting is not None:
            err.print(accounting.summary(), markup=False, soft_wrap=True)
    return results


def _print(results: Results) -> None:
    from unmirage.cli.rates_table import rates_table, scores_table
    from unmirage.cli.results_notes import notes

    if results.suite is None or results.suite["purpose"] != "utility":
        out.print(rates_table(results, out.width))
    if any(one.scores for one in results.details.values()):
        out.print(scores_table(results))
    for line in notes(results):
        out.print(line, markup=False, soft_wrap=True)


def _check(document: dict[str, Any], conditions: Sequence[str], junit: Path | None) -> None:
    """End with the status for a gate that failed, once all of them are written down."""
    from unmirage.cli.gate import broken_gate
    from unmirage.cli.junit import junit as as_junit
    from unmirage.cli.targets import naming
    from unmirage.run.files import write_text_atomic

    if junit is not None:
        with naming(junit):
            write_text_atomic(junit, as_junit(document, conditions))
    broken = [line for condition in conditions if (line := broken_gate(condition, document))]
    if broken:
        fail("; ".join(broken), EXIT_GATE)


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
        why = f" (most often: {plain(found.why_invalid, 200)})" if found.why_invalid else ""
        said.append(f"{found.invalid} responses of {name} have no verdict{why}")
    return said
