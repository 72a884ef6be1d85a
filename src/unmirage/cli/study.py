"""`unmirage study`: longer comparisons on the built-in synthetic world and on pretrained weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from unmirage.cli import options
from unmirage.cli.console import out, plain, print_json, say
from unmirage.cli.progress import StageProgress
from unmirage.documents import Document
from unmirage.errors import UserError

if TYPE_CHECKING:
    from unmirage.testbed.documents import MethodsComparison

WORLDS = 3


@dataclass(frozen=True, kw_only=True)
class Seeds(options.Group):
    """The seeds of a study.

    Attributes:
        COUNT: default number of seeds.
    """

    COUNT: ClassVar[int] = 1
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of trainings of each model; rates are pooled (default 1).")
    ] = None
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Run this seed alone, without a table, so that seeds can run in separate processes."),
    ] = None

    def chosen(self, given: Mapping[str, Any]) -> list[int]:
        """Return the seeds to run: the one given seed, or the first ones.

        Args:
            given: options that have no effect with a single seed; None or False if not given.
        """
        if self.seed is None:
            return list(range(self.seeds or self.COUNT))
        for option, value in {"--seeds": self.seeds, **given}.items():
            if value:
                raise UserError(
                    f"{option}: has no effect with --seed, which runs one seed without a table; leave it out"
                )
        return [self.seed]


@dataclass(frozen=True, kw_only=True)
class Worlds(Seeds):
    """The worlds of a study."""

    COUNT: ClassVar[int] = WORLDS
    seeds: Annotated[
        int | None, typer.Option(min=1, help=f"Number of worlds; rates are pooled over them (default {WORLDS}).")
    ] = None
    signal: options.SignalOption = 0.0


@dataclass(frozen=True, kw_only=True)
class Output(options.Group):
    """Where the results go."""

    write: Annotated[
        Path | None, typer.Option(help="Markdown file; the table goes between its two markers, the rest stays.")
    ] = None
    keep: Annotated[Path | None, typer.Option(help="Write the JSON here as well.")] = None
    json_output: options.JsonOption = False

    def given(self) -> dict[str, Any]:
        """Return the values by option."""
        return {"--write": self.write, "--keep": self.keep, "--json": self.json_output}

    def publish(self, document: Document, file: Path, name: str, pages: Pages) -> bool:
        """Write the document to `file` and --keep, write the pages, and print the JSON if --json is given.

        Args:
            document: the results.
            file: in the run directory.
            name: name in the markers of the pages.
            pages: functions that return the text of a page, by file; None keys are ignored.

        Returns:
            Whether the JSON was printed.
        """
        from unmirage.testbed.summary import write_between_markers

        for path in filter(None, (file, self.keep)):
            document.save(path)
        for page, text in pages.items():
            if page is not None:
                write_between_markers(page, name, text(document))
        if self.json_output:
            print_json(document.to_dict())
        return self.json_output


Pages = Mapping[Path | None, Callable[[Any], str]]


def methods_command(
    *,
    worlds: Worlds,
    out_dir: Annotated[Path, typer.Option("--out", help="Run directory; an unfinished one is continued.")] = Path(
        "unmirage-methods"
    ),
    only: Annotated[str, typer.Option(help="Rows to run, separated by commas (default: all).")] = "",
    keep_models: Annotated[bool, typer.Option("--keep-models", help="Keep the model of every row.")] = False,
    output: Output,
) -> None:
    """Train every alignment method from the same base model, ask the same questions, and compare."""
    from unmirage.testbed.methods_table import markdown
    from unmirage.testbed.studies import compare_methods
    from unmirage.testbed.summary import check_markers

    seeds = worlds.chosen(output.given())
    check_markers("methods", output.write)
    options.quiet_libraries()
    with StageProgress() as progress:
        document = compare_methods(
            out_dir,
            seeds,
            signal=worlds.signal,
            rows=options.names_in(only),
            keep_models=keep_models,
            summary=worlds.seed is None,
            progress=progress,
        )
    if document is None:
        say(f"Seed {worlds.seed} is finished. For the table, run the same command without --seed.")
    elif not output.publish(document, out_dir / document.FILE, "methods", {output.write: markdown}):
        _print_methods(document)


def settings_command(
    *,
    out_dir: Annotated[Path, typer.Option("--out", help="Run directory; an unfinished one is continued.")] = Path(
        "unmirage-settings"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the world to search in.")] = 0,
    signal: options.SignalOption = 0.0,
    methods: Annotated[
        bool,
        typer.Option("--methods", help="Search for the other unlearning methods of `study methods`, not the arms."),
    ] = False,
    decoder: options.DecoderOption = None,
    base_steps: options.BaseStepsOption = None,
    workers: options.WorkersOption = None,
    output: Output,
) -> None:
    """Choose the settings of every arm on validation devices, from twelve candidates each."""
    from unmirage.testbed.settings_search import heads, markdown, table
    from unmirage.testbed.studies import search_settings
    from unmirage.testbed.summary import check_markers

    check_markers("settings", output.write)
    options.quiet_libraries()
    with StageProgress() as progress:
        document = search_settings(
            out_dir,
            seed,
            signal=signal,
            methods=methods,
            decoder=decoder,
            base_steps=base_steps,
            workers=workers,
            progress=progress,
        )
    if not output.publish(document, out_dir / document.FILE, "settings", {output.write: markdown}):
        print_table(heads(), table(document))


def relearn_command(
    *,
    worlds: Worlds,
    out_dir: Annotated[
        Path,
        typer.Option("--out", help="Run directory; that of `study methods --keep-models` also provides the models."),
    ] = Path("unmirage-relearn"),
    models: Annotated[str, typer.Option(help="Rows of `study methods` to attack, with commas (default: four).")] = "",
    output: Output,
    write_curve: Annotated[
        Path | None, typer.Option(help="Markdown file for the table of ASR by number of samples, like --write.")
    ] = None,
) -> None:
    """Fine-tune repaired models on a few samples, round them to int8, sample their responses, and measure safety."""
    from unmirage.testbed.relearn_table import curve_markdown, curve_table, full_table, legend, markdown
    from unmirage.testbed.studies import attack_repairs
    from unmirage.testbed.summary import check_markers

    seeds = worlds.chosen(output.given() | {"--write-curve": write_curve})
    check_markers("relearning", output.write, write_curve)
    options.quiet_libraries()
    with StageProgress() as progress:
        document = attack_repairs(
            out_dir,
            seeds,
            signal=worlds.signal,
            models=options.names_in(models),
            summary=worlds.seed is None,
            progress=progress,
        )
    if document is None:
        say(f"Seed {worlds.seed} is finished. For the tables, run the same command without --seed.")
        return
    pages = {output.write: markdown, write_curve: curve_markdown}
    if output.publish(document, out_dir / document.FILE, "relearning", pages):
        return
    for heads, rows in (full_table(document), curve_table(document)):
        print_table(heads, rows)
    out.print(legend(document), style="dim", markup=False)


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table whose first column is text; as one block of lines per row if the terminal would cut its words."""
    cells = [[plain(cell, longest=120).plain for cell in row] for row in rows]
    widths = _widths([[head, *column] for head, *column in zip(heads, *cells, strict=True)], out.width)
    if widths is None:
        for first, *others in cells:
            out.print(first, style="bold", markup=False)
            for head, cell in zip(heads[1:], others, strict=True):
                if cell:
                    out.print(f"  {head}: {cell}", markup=False, soft_wrap=True)
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))  # for 80 columns
    for number, (head, width) in enumerate(zip(heads, widths, strict=True)):
        table.add_column(head, justify="right" if number else "left", width=width)
    for row in cells:
        table.add_row(*map(Text, row))
    out.print(table)


def _widths(columns: Sequence[Sequence[str]], most: int) -> list[int] | None:
    """Return widths at which no word is cut, and the first column is not wrapped; None if `most` is too narrow."""
    first, *others = columns
    widths = [max(map(len, first))]
    widths += [max((len(word) for cell in column for word in cell.split()), default=0) for column in others]
    spare = most - sum(widths) - 2 * len(others)
    if spare < 0:
        return None
    missing = [max(map(len, column)) - width for column, width in zip(columns, widths, strict=True)]
    for number in sorted(range(len(columns)), key=missing.__getitem__):
        given = min(spare, missing[number])
        widths[number] += given
        spare -= given
    return widths


def _print_methods(document: MethodsComparison) -> None:
    from unmirage.testbed.methods_table import cells, front_lines, heads

    print_table(heads(document), [cells(row) for row in document.rows])
    out.print(f"percent, [95 % interval], seeds: {', '.join(map(str, document.seeds))}", style="dim", markup=False)
    out.print(
        "Rows that no other row beats (ASR after, benign answered after, utility, neighbor utility):", soft_wrap=True
    )
    for line in front_lines(document):
        out.print(f"  {line}", markup=False, soft_wrap=True)
