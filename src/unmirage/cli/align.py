"""`unmirage align`: fine-tune or unlearn, and write the new model directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from unmirage.cli.console import EXIT_PARTIAL, fail, print_json, say
from unmirage.cli.eval_options import Evaluating
from unmirage.cli.options import (
    AllowOption,
    ConfigOption,
    JsonOption,
    Reading,
    SetOption,
    ThinkingOption,
    Weights,
    quiet_libraries,
)
from unmirage.cli.progress import StageProgress
from unmirage.cli.relevance_options import RelevanceStopping
from unmirage.errors import UserError
from unmirage.run.paths import quoted


def align_command(
    model: Annotated[str, typer.Argument(help="Hugging Face model directory, adapter directory or hub id.")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="The new model directory; must not exist.", show_default=False)
    ] = None,
    retain: Annotated[
        list[Path] | None,
        typer.Option("--retain", "--train", help="Retain set; for SFT, the training set. Repeatable."),
    ] = None,
    forget: Annotated[
        list[Path] | None,
        typer.Option(help="Forget set: unsafe queries with harmful responses, for unlearning. Repeatable."),
    ] = None,
    pairs: Annotated[
        list[Path] | None,
        typer.Option(help="Pairs for --method dpo: queries with a chosen and a rejected answer. Repeatable."),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="sft, npo, rmu, ... (default: the config file's, else sft).", show_default=False)
    ] = None,
    lora: Annotated[
        int | None, typer.Option(min=1, help="Train a LoRA adapter of this rank, with alpha = 2 x rank.")
    ] = None,
    test: Annotated[
        list[Path] | None,
        typer.Option(help="Test file; its samples that are also in the training data are counted. Repeatable."),
    ] = None,
    allow: AllowOption = None,
    reading: Reading,
    config: ConfigOption = None,
    settings: SetOption = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate (default 5e-7).")] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Samples of each set per step, over all devices (default 4).")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps (default: --epochs passes).")] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Passes over the forget set; for SFT, the training set (default 1).")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Random seed of data order and first adapter weights (default 0).")
    ] = None,
    part_names: Annotated[
        list[str] | None,
        typer.Option(
            "--part-names",
            help="PART=PREFIX: parameters whose names begin with PREFIX belong to PART (language, projector, vision, "
            "audio), where the model's structure does not tell. Repeatable.",
        ),
    ] = None,
    thinking: ThinkingOption = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            help="Dtype of the computation, the setting precision: float32, bfloat16 or auto (bfloat16 on a GPU). "
            "Trained weights stay in float32."
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Device: auto (a CUDA GPU if available), cpu or cuda.", show_default=False)
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Directory for caches, checkpoints and log (default: OUT.work).")
    ] = None,
    stop: RelevanceStopping,
    evaluating: Evaluating,
    report_to: Annotated[
        list[str] | None,
        typer.Option(help="Report each step to a tracker: wandb, tensorboard, trackio or mlflow. Repeatable."),
    ] = None,
    save: Annotated[str, typer.Option(help="merged (a whole model) or adapter (LoRA only).")] = "merged",
    weights: Weights,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would train, with estimated memory and time, and stop.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Align MODEL by supervised fine-tuning (sft) or unlearning (npo, rmu ...).

    Running the same command again resumes an interrupted run. `accelerate launch` is supported.
    """
    from unmirage.align.methods import METHOD_CONFIGS

    if method is not None:
        METHOD_CONFIGS.find(method)
    if save not in ("merged", "adapter"):
        raise UserError(f"--save {save}: unknown value; valid: merged, adapter")
    if out is None and not dry_run:
        raise UserError("--out: missing; name the new model directory or pass --dry-run")
    from unmirage.align import AlignConfig
    from unmirage.align.tracking import check_trackers
    from unmirage.workflows.align import AlignFiles, check_output, estimate_training, train_and_save, with_dtype
    from unmirage.workflows.settings import resolve

    resolved = resolve(
        AlignConfig,
        config,
        {
            "method.name": method,
            "lora.rank": lora,
            "lora.alpha": None if lora is None else 2 * lora,
            "learning_rate": learning_rate,
            "batch_size": batch_size,
            "steps": steps,
            "epochs": epochs,
            "seed": seed,
            "thinking": thinking,
            "part_names": _part_names(part_names),
        },
        settings,
        {"epochs": "steps"},
    )
    resolved = with_dtype(resolved, dtype or "auto")
    stopping = stop.chosen(reading.images)
    evaluation = evaluating.chosen(reading.arguments())
    files = AlignFiles(
        retain=retain or (),
        forget=forget or (),
        pairs=pairs or (),
        test=test or (),
        allow=allow or (),
        **reading.arguments(),
    )
    quiet_libraries()
    if out is None or dry_run:
        check_output(out, resolved, adapter_only=save == "adapter")
        check_trackers(report_to or ())
        estimate, compared = estimate_training(model, files, resolved, weights.base, evaluation)
        if json_output:
            print_json(replace(estimate, overlap=compared.pairs).to_dict())
            return
        from unmirage.cli.align_dry_run import print_estimate, print_overlaps, print_roles

        print_estimate(estimate)
        print_roles(estimate, files.forgotten, files.allow)
        print_overlaps(compared)
        return
    with StageProgress() as progress:
        summary = train_and_save(
            model,
            files,
            resolved,
            out,
            work=work,
            adapter_only=save == "adapter",
            device=device or "auto",
            stop=stopping,
            evaluation=evaluation,
            report_to=report_to or (),
            progress=progress,
            **asdict(weights),
        )
    if summary is None:
        return
    if json_output:
        print_json(summary.to_dict())
    say(f"{summary.steps} steps in {summary.seconds:.0f} s. Model: {out}")
    if summary.evaluation:
        early = f"{summary.stopped}. " if summary.early else ""
        say(f"{early}{out} has the weights of step {summary.steps}, the best check.")
    elif summary.early:
        say(f"{summary.stopped}. {out} has the weights of step {summary.steps}, the last check that passed.")
    if summary.stopped and not summary.early:
        fail(f"{summary.stopped}. {out} contains the last valid weights, of step {summary.steps}", EXIT_PARTIAL)
    say(f"Next: unmirage attack {quoted(out)} TEST_DATA --out RUN")


def _part_names(given: Sequence[str] | None) -> dict[str, list[str]] | None:
    """Return part -> prefixes from `--part-names PART=PREFIX`; None if none is given."""
    found: dict[str, list[str]] = {}
    for one in given or ():
        part, sign, prefix = one.partition("=")
        if not (part and sign and prefix):
            raise UserError(f"--part-names {one}: write PART=PREFIX, for example projector=model.aligner")
        found.setdefault(part, []).append(prefix)
    return found or None
