"""`unmirage align`: fine-tune or unlearn, and write the new model directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmirage.cli.console import EXIT_PARTIAL, err, fail, print_json
from unmirage.cli.options import ColumnsOption, RevisionOption, TrustOption, quiet_libraries
from unmirage.cli.progress import StageProgress
from unmirage.data.tables import parse_columns
from unmirage.errors import UserError
from unmirage.workflows.align import compare_data, read_data, train_and_save
from unmirage.workflows.settings import resolve

if TYPE_CHECKING:
    from unmirage.align import AlignConfig, AlignData
    from unmirage.workflows.overlaps import Compared


def align_command(
    model: Annotated[str, typer.Argument(help="Hugging Face model directory, adapter directory or hub id.")],
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
    method: Annotated[
        str | None, typer.Option(help="sft, npo, rmu, ...; default: the config file's, else sft.", show_default=False)
    ] = None,
    lora: Annotated[
        int | None, typer.Option(min=1, help="Train a LoRA adapter of this rank, with alpha = 2 x rank.")
    ] = None,
    test: Annotated[
        list[Path] | None,
        typer.Option(help="A test file: count the samples that are in the training data too. Repeatable."),
    ] = None,
    format: Annotated[str, typer.Option(help="Format of the data files.")] = "auto",
    columns: ColumnsOption = "",
    images: Annotated[Path | None, typer.Option(help="Folder of the pictures; default: the data's.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, such as method.beta=0.2 or steps=100. Repeatable.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate (default 5e-7).")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples of each set per step, over all devices.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps (default: --epochs passes).")] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Passes over the forget set; for SFT, the training set (default 1).")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Random seed of data order and first adapter weights (default 0).")
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Directory for caches, checkpoints and log; default: OUT.work.")
    ] = None,
    save: Annotated[str, typer.Option(help="merged (a whole model) or adapter (LoRA only).")] = "merged",
    revision: RevisionOption = None,
    trust_remote_code: TrustOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would train, with estimated memory and time, and stop.")
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Align MODEL by supervised fine-tuning (sft) or unlearning (npo, rmu ...).

    Running the same command again resumes an interrupted run. `accelerate launch` is supported.
    """
    from unmirage.align.methods import METHOD_CONFIGS

    if method is not None:
        METHOD_CONFIGS.find(method)
    if save not in ("merged", "adapter"):
        raise UserError(f"--save {save}: unknown value; valid: merged, adapter")
    from unmirage.align import AlignConfig

    if out is None and not dry_run:
        raise UserError("--out: missing; name the new model directory or pass --dry-run")
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
        },
        settings,
    )
    if save == "adapter" and resolved.lora is None:
        raise UserError("--save adapter: no adapter is trained; add --lora RANK")
    if out is not None and out.exists():
        raise UserError(f"{out}: exists; name a new directory with --out")
    named = parse_columns(columns)
    files = [*(retain or ()), *(forget or ())]
    data = read_data(retain or (), forget or (), format, named, images)

    def compared() -> Compared:
        return compare_data(data, test or (), format, named, images)

    quiet_libraries()
    if dry_run:
        _print_estimate(model, data, resolved, compared(), json_output)
        return
    assert out is not None
    with StageProgress() as progress:
        aligned = train_and_save(
            model,
            data,
            files,
            resolved,
            out,
            compare=compared,
            work=work,
            adapter_only=save == "adapter",
            revision=revision,
            trust_remote_code=trust_remote_code,
            progress=progress,
        )
    if not aligned.result.writes:
        return
    if json_output:
        print_json(aligned.to_json())
    result = aligned.result
    err.print(f"{result.steps} steps in {result.seconds:.0f} s. Model: {out}", markup=False, soft_wrap=True)
    if result.stopped:
        fail(f"{result.stopped}. {out} contains the last valid weights, of step {result.steps}", EXIT_PARTIAL)
    err.print(f"Next: unmirage attack {out} TEST_DATA --out RUN", markup=False, soft_wrap=True)


def _print_estimate(model: str, data: AlignData, config: AlignConfig, compared: Compared, json_output: bool) -> None:
    from unmirage.align.estimate import estimate
    from unmirage.cli.align_dry_run import print_estimate, print_overlaps

    found = estimate(model, data, config)
    if json_output:
        print_json(found.to_json() | {"overlap": compared.to_json()})
    else:
        print_estimate(found)
        print_overlaps(compared)
