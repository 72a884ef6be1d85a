"""`unmirage convert`: convert a checkpoint of the original LLaVA code to a Hugging Face directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmirage.cli.console import print_json, say
from unmirage.cli.options import JsonOption, quiet_libraries
from unmirage.cli.progress import StageProgress
from unmirage.run.paths import quoted


def convert_command(
    source: Annotated[str, typer.Argument(help="Folder or hub id of an original LLaVA checkpoint or LoRA adapter.")],
    out: Annotated[Path, typer.Argument(help="The new model directory; must not exist.")],
    vision_tower: Annotated[
        str | None, typer.Option(help="CLIP model, if SOURCE has no vision tower: folder or hub id.")
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Base model of a LoRA adapter: folder or hub id.", show_default=False)
    ] = None,
    from_pickle: Annotated[
        bool,
        typer.Option("--from-pickle", help="Read .bin files with torch's restricted unpickler, which runs no code."),
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Convert an original LLaVA checkpoint to a model directory that all other commands accept."""
    from unmirage.api import convert
    from unmirage.models.conversion import Conversion

    quiet_libraries()
    with StageProgress() as progress:
        made = convert(source, out, vision_tower=vision_tower, base=base, from_pickle=from_pickle, progress=progress)
    if json_output:
        print_json(Conversion.load(out / Conversion.FILE).to_dict())
    if not made.asks_as_original:
        say("The tokenizer splits text after a picture differently from the original LLaVA code.")
    say(f"{made.tensors} tensors in {made.files} files. Model: {out}")
    say(f"Next: unmirage attack {quoted(out)} TEST_DATA --out RUN")
