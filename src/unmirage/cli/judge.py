"""`unmirage judge FILE...`: judge responses that other programs collected; print the rates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmirage.cli import judge_options, options
from unmirage.cli.evaluate import evaluate_command
from unmirage.cli.progress import StageProgress
from unmirage.data.tables import parse_columns
from unmirage.errors import UserError


def judge_command(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Responses as JSON, JSONL, CSV, Parquet or .xlsx, or logs of lmms-eval, VLMEvalKit, Inspect or garak.",
            show_default=False,
        ),
    ],
    *,
    out_dir: options.NewOutOption = None,
    format: Annotated[str, typer.Option(help="Format: auto, rows, lmms-eval, vlmevalkit, inspect or garak.")] = "auto",
    columns: Annotated[
        str,
        typer.Option(
            help="Names of the columns: OURS=THEIRS,..., such as query=ask; OURS=- leaves one out.", show_default=False
        ),
    ] = "",
    model: Annotated[
        str | None, typer.Option(help="Name of the model, for files without one (default: the file's name).")
    ] = None,
    unsafe: Annotated[
        str, typer.Option(help="Which queries are unsafe: all, none, or auto (as the files label them).")
    ] = "auto",
    images: options.ImagesOption = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Skip records that cannot be read, and count them.")
    ] = False,
    judge: judge_options.JudgeOption = None,
    ensemble: judge_options.EnsembleOption = None,
    judge_model: judge_options.JudgeModel,
    calibration: judge_options.CalibrationOption = None,
    canaries: judge_options.CanariesOption = True,
    reference: judge_options.ReferenceOption = None,
    encoder: judge_options.RelevanceEncoderOption = None,
    batch_size: options.BatchSizeOption = None,
    server: options.PricedServer,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            help="End with status 3 if this holds, or 4 if missing verdicts decide: 'asr.before>0.15'. Repeatable."
        ),
    ] = None,
    junit: judge_options.JunitOption = None,
    json_output: options.JsonOption = False,
) -> None:
    """Judge responses that other programs collected, and write all rates with intervals to results.json."""
    from unmirage.evaluate.gate import check_gate, check_relevance
    from unmirage.evaluate.gate_names import Names
    from unmirage.evaluate.results import Results
    from unmirage.workflows.judge_file import run_of_files

    if out_dir is None:
        raise UserError("--out: missing; name the run directory for the responses and their verdicts")
    judges = judge or ["phrases"]
    server.settings(*judges)  # options without a server are an error before the files are read
    for condition in fail_if or ():
        check_gate(condition, Names.of(Results))
        check_relevance(condition, measured=encoder is not None)
    with StageProgress(lines=False) as progress:
        run = run_of_files(
            files,
            out_dir,
            judges,
            format=format,
            columns=parse_columns(columns),
            model=model,
            unsafe=unsafe,
            images=images,
            skip_bad=skip_bad,
            sees_pictures=judge_model.sees_pictures,
            progress=progress,
        )
    evaluate_command(
        str(run.path),
        judge=judges,
        ensemble=ensemble,
        judge_model=judge_model,
        calibration=calibration,
        canaries=canaries,
        reference=reference,
        encoder=encoder,
        batch_size=batch_size,
        loading=options.Loading(),
        server=server,
        fail_if=fail_if,
        junit=junit,
        json_output=json_output,
    )
