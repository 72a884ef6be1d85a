"""`unmirage study unlearning`: search settings of NPO and RMU for any model, on validation queries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmirage.cli import options
from unmirage.cli.console import out, say
from unmirage.cli.progress import StageProgress
from unmirage.cli.study import Output, print_table


def unlearning_command(
    *,
    model: Annotated[str, typer.Option(help="Model directory or hub id to unlearn from.")],
    forget: Annotated[
        list[Path], typer.Option(help="Forget set: unsafe queries with harmful responses (`prepare`). Repeatable.")
    ],
    retain: Annotated[list[Path], typer.Option(help="Retain set (`prepare`). Repeatable.")],
    validation: Annotated[
        Path, typer.Option(help="Unsafe queries, and benign ones with answers, that are not in the training data.")
    ],
    encoder: Annotated[Path, typer.Option(help="Directory of a sentence encoder that measures relevance.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Directory of the search; an unfinished one is continued.")] = (
        Path("unmirage-unlearning")
    ),
    methods: Annotated[str, typer.Option(help="Methods to search, separated by commas.")] = "npo,rmu",
    candidates: Annotated[
        Path | None, typer.Option(help="YAML file NAME: SETTINGS of candidates (default: the built-in grid).")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of all candidates: KEY=VALUE, such as steps=24. Repeatable."),
    ] = None,
    every: Annotated[int, typer.Option(help="Steps between two measurements.")] = 8,
    tolerance: Annotated[float, typer.Option(help="Maximum loss of relevance of benign responses.")] = 0.05,
    benign: Annotated[int, typer.Option(help="Number of benign validation queries.")] = 24,
    unsafe: Annotated[int, typer.Option(help="Number of unsafe validation queries.")] = 16,
    judge: Annotated[str, typer.Option(help="Judge of the responses.")] = "phrases",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Maximum new tokens per response.")] = 16,
    query_batch: Annotated[int, typer.Option(min=1, help="Queries per batch of the measurements.")] = 16,
    allow: options.AllowOption = None,
    images: options.ImagesOption = None,
    output: Output,
) -> None:
    """Train candidates, and choose the one that forgets most among those that keep benign responses relevant."""
    from unmirage.testbed.summary import check_markers
    from unmirage.workflows.settings import parsed_settings
    from unmirage.workflows.unlearning_study import HEADS, lines, markdown, search_settings, table

    check_markers("unlearning", output.write)
    options.quiet_libraries()
    with StageProgress() as progress:
        found = search_settings(
            model,
            forget,
            retain,
            validation,
            encoder=encoder,
            out=out_dir,
            methods=options.names_in(methods) or (),
            candidates=candidates,
            every=every,
            tolerance=tolerance,
            benign=benign,
            unsafe=unsafe,
            judge=judge,
            max_new_tokens=max_new_tokens,
            query_batch=query_batch,
            allow=allow or (),
            images=images,
            settings=parsed_settings(settings),
            progress=progress,
        )
    if output.publish(found, out_dir / found.FILE, "unlearning", {output.write: markdown}):
        return
    print_table(HEADS, table(found))
    for line in lines(found):
        out.print(line, markup=False, soft_wrap=True)
    say(f"Written: {out_dir / found.FILE}")
