"""`unmirage align`: fine-tune or unlearn, and write the new model directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmirage.cli.console import err
from unmirage.cli.progress import StageProgress
from unmirage.cli.quiet import quiet_libraries
from unmirage.cli.settings import resolve
from unmirage.errors import UserError


def align_command(
    model: Annotated[str, typer.Argument(help="Hugging Face model directory or hub id.")],
    out: Annotated[Path, typer.Option("--out", help="The new model directory; must not exist.")],
    retain: Annotated[
        list[Path],
        typer.Option("--retain", "--train", help="What to keep; for SFT: what to learn. Repeatable."),
    ],
    forget: Annotated[Path | None, typer.Option(help="Unsafe queries with harmful answers, for unlearning.")] = None,
    method: Annotated[str | None, typer.Option(help="sft, npo or rmu; default: the config file's, else sft.")] = None,
    format: Annotated[str, typer.Option(help="Format of the data files.")] = "auto",
    images: Annotated[Path | None, typer.Option(help="Folder of the pictures; default: the data's.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, such as method.beta=0.2 or steps=100.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option()] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows of each stream in a step.")] = None,
    steps: Annotated[int | None, typer.Option()] = None,
    epochs: Annotated[float | None, typer.Option()] = None,
    seed: Annotated[int | None, typer.Option()] = None,
) -> None:
    """Align MODEL by supervised fine-tuning (sft) or unlearning (npo, rmu)."""
    from unmirage.align.methods import method_config_class

    if method is not None:
        method_config_class(method)
    from unmirage.align import AlignConfig, AlignData, align
    from unmirage.data import ImageFolder, load_samples
    from unmirage.models import HuggingFaceVLM
    from unmirage.run.model import save_model

    options = {
        "method.name": method,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "steps": steps,
        "epochs": epochs,
        "seed": seed,
    }
    resolved = resolve(AlignConfig, config, options, settings)
    if out.exists():
        raise UserError(f"{out}: exists; name a new directory with --out")
    sets = [load_samples(file, format, images=images) for file in (*retain, *([forget] if forget else []))]
    roots = {one.image_root.resolve() for one in sets}
    if len(roots) > 1:
        raise UserError("the data files lie in different folders; name the folder of all pictures with --images")
    kept = sets[: len(retain)]
    data = AlignData(
        retain=[sample for one in kept for sample in one],
        forget=sets[-1].samples if forget else (),
        images=ImageFolder(roots.pop()),
    )
    quiet_libraries()
    vlm = HuggingFaceVLM.load(model, out.name)
    with StageProgress() as progress:
        result = align(vlm, data, resolved, lambda stage, done, total: progress(f"{stage} {out.name}", done, total))
    save_model(out, vlm, resolved.model_dump(mode="json"), result.state)
    err.print(f"{result.steps} steps in {result.seconds:.0f} s. Model: {out}", markup=False, soft_wrap=True)
    err.print(f"Next: unmirage attack {out} TEST_DATA --out RUN", markup=False, soft_wrap=True)
