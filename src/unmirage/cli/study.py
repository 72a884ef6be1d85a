"""`unmirage study`: longer comparisons on the built-in synthetic world."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from unmirage.cli.console import err, out, plain, print_json
from unmirage.cli.progress import StageProgress
from unmirage.errors import UserError
from unmirage.run.files import write_json_atomic

if TYPE_CHECKING:
    from unmirage.testbed.methods import MethodsStudy
    from unmirage.testbed.methods_settings import MethodsSettings
    from unmirage.testbed.relearn import RelearnSettings, RelearnStudy

WORLDS = 3
Signal = Annotated[
    float, typer.Option(min=0, max=1, help="Correlation between a visible mark and being restricted (default 0).")
]

SeedsOption = Annotated[
    int | None, typer.Option(min=1, help=f"Number of worlds; rates are pooled over them (default {WORLDS}).")
]
SeedOption = Annotated[
    int | None,
    typer.Option(min=0, help="Run this seed alone, without a table, so that seeds can run in separate processes."),
]

app = typer.Typer(help="Compare methods, and attacks on them, on the built-in world.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Compare methods, and attacks on them, on the built-in world."""


@app.command("methods")
def methods_command(
    seeds: SeedsOption = None,
    seed: SeedOption = None,
    out_dir: Annotated[Path, typer.Option("--out", help="Run directory; an unfinished one is continued.")] = Path(
        "unmirage-methods"
    ),
    signal: Signal = 0.0,
    only: Annotated[str, typer.Option(help="Rows to run, separated by commas; default: all.")] = "",
    keep_models: Annotated[bool, typer.Option("--keep-models", help="Keep the model of every row.")] = False,
    write: Annotated[
        Path | None, typer.Option(help="Markdown file; the table goes between its two markers, the rest stays.")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Write the JSON here as well.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print methods.json on stdout.")] = False,
) -> None:
    """Train every alignment method from the same base model, ask the same questions, and compare."""
    from unmirage.cli.options import quiet_libraries
    from unmirage.testbed.methods_settings import MethodsSettings
    from unmirage.testbed.methods_summary import summarise_methods
    from unmirage.testbed.methods_table import markdown
    from unmirage.testbed.summary import check_markers, write_between_markers

    chosen = _seeds(seed, {"--seeds": seeds, "--write": write, "--keep": keep, "--json": json_output or None})
    if write is not None:
        check_markers(write, "methods")
    quiet_libraries()
    settings = MethodsSettings().with_signal(signal)
    names = [name.strip() for name in only.split(",") if name.strip()]
    with ExitStack() as stack:
        studies = _completed(stack, out_dir, settings, chosen, names, keep_models)
        if seed is not None:
            err.print(f"Seed {seed} is finished. For the table, run the same command without --seed.", markup=False)
            return
        document = {"commit": _commit(), **summarise_methods(studies)}
    for file in (out_dir / "methods.json", *([keep] if keep else [])):
        write_json_atomic(file, document)
    if write is not None:
        write_between_markers(write, "methods", markdown(document))
    if json_output:
        print_json(document)
    else:
        _print(document)


@app.command("settings")
def settings_command(
    out_dir: Annotated[Path, typer.Option("--out", help="Run directory; an unfinished one is continued.")] = Path(
        "unmirage-settings"
    ),
    seed: Annotated[int, typer.Option(min=0, help="World to search in (default 0).")] = 0,
    signal: Signal = 0.0,
    methods: Annotated[
        bool,
        typer.Option("--methods", help="Search for the other unlearning methods of `study methods`, not the arms."),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Training processes of one thread each (default: cores, at most 2).")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Markdown file; the tables go between its two markers, the rest stays.")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Write the JSON here as well.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print settings.json on stdout.")] = False,
) -> None:
    """Choose the settings of every arm on validation devices, from twelve candidates each."""
    from unmirage.cli.options import quiet_libraries
    from unmirage.run.machine import describe_machine
    from unmirage.testbed.methods_settings import OTHER_STARTS
    from unmirage.testbed.settings import STARTS, study_settings
    from unmirage.testbed.settings_search import SettingsSearch, heads, markdown, table
    from unmirage.testbed.study import Seeds, open_study
    from unmirage.testbed.summary import check_markers, write_between_markers

    if write is not None:
        check_markers(write, "settings")
    quiet_libraries()
    settings = study_settings((), signal).model_copy(update={"models": OTHER_STARTS if methods else STARTS})
    with StageProgress() as progress, open_study(out_dir, settings, Seeds.all(seed), progress) as study:
        search = SettingsSearch(study)
        search.complete(workers or min(2, os.cpu_count() or 1))
        document = {"commit": _commit(), "machine": describe_machine(), **search.document()}
    for file in (out_dir / "settings.json", *([keep] if keep else [])):
        write_json_atomic(file, document)
    if write is not None:
        write_between_markers(write, "settings", markdown(document))
    if json_output:
        print_json(document)
    else:
        _print_table(heads(), table(document))


def _completed(
    stack: ExitStack,
    folder: Path,
    settings: MethodsSettings,
    seeds: Sequence[int],
    names: list[str],
    keep_models: bool,
) -> list[MethodsStudy]:
    """Complete the runs of all seeds, and return them with their locks held."""
    from unmirage.testbed.methods import open_methods

    studies = []
    with StageProgress() as progress:
        for seed, path in _folders(folder, seeds).items():
            progress.prefix = f"seed {seed}: "
            study = stack.enter_context(open_methods(path, settings, seed, progress, keep_models=keep_models))
            study.complete(names)
            studies.append(study)
    return studies


@app.command("relearn")
def relearn_command(
    seeds: SeedsOption = None,
    seed: SeedOption = None,
    out_dir: Annotated[
        Path, typer.Option("--out", help="Run directory; that of `study methods --keep-models` gives its models too.")
    ] = Path("unmirage-relearn"),
    signal: Signal = 0.0,
    models: Annotated[str, typer.Option(help="Rows of `study methods` to attack, with commas; default: four.")] = "",
    write: Annotated[
        Path | None, typer.Option(help="Markdown file; the tables go between its two markers, the rest stays.")
    ] = None,
    write_curve: Annotated[Path | None, typer.Option(help="The same for ASR by the number of samples alone.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Write the JSON here as well.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print relearning.json on stdout.")] = False,
) -> None:
    """Fine-tune repaired models on a few samples, round them to int8, sample their responses, and measure safety."""
    from unmirage.cli.options import quiet_libraries
    from unmirage.testbed.relearn import RelearnSettings
    from unmirage.testbed.relearn_table import (
        curve_markdown,
        curve_table,
        full_table,
        legend,
        markdown,
        summarise_relearning,
    )
    from unmirage.testbed.summary import check_markers, write_between_markers

    given = {"--seeds": seeds, "--write": write, "--write-curve": write_curve, "--keep": keep}
    chosen = _seeds(seed, given | {"--json": json_output or None})
    for file in (write, write_curve):
        if file is not None:
            check_markers(file, "relearning")
    quiet_libraries()
    settings = RelearnSettings()
    settings = settings.model_copy(update={"methods": settings.methods.with_signal(signal)})
    if names := [name.strip() for name in models.split(",") if name.strip()]:
        settings = settings.model_copy(update={"models": tuple(names)})
    with ExitStack() as stack:
        studies = _attacked(stack, out_dir, settings, chosen)
        if seed is not None:
            err.print(f"Seed {seed} is finished. For the tables, run the same command without --seed.", markup=False)
            return
        document = {"commit": _commit(), **summarise_relearning(studies)}
    for file in (out_dir / "relearning.json", *([keep] if keep else [])):
        write_json_atomic(file, document)
    if write is not None:
        write_between_markers(write, "relearning", markdown(document))
    if write_curve is not None:
        write_between_markers(write_curve, "relearning", curve_markdown(document))
    if json_output:
        print_json(document)
        return
    for heads, rows in (full_table(document), curve_table(document)):
        _print_table(heads, rows)
    out.print(legend(document), style="dim", markup=False)


def _attacked(stack: ExitStack, folder: Path, settings: RelearnSettings, seeds: Sequence[int]) -> list[RelearnStudy]:
    """Complete the attacks of all seeds, and return the seeds with their locks held."""
    from unmirage.testbed.relearn import open_relearn

    studies = []
    with StageProgress() as progress:
        for seed, path in _folders(folder, seeds).items():
            progress.prefix = f"seed {seed}: "
            study = stack.enter_context(open_relearn(path, settings, seed, progress))
            study.complete()
            studies.append(study)
    return studies


def _seeds(seed: int | None, given: Mapping[str, Any]) -> list[int]:
    """Return the seeds to run: one given seed, or the first ones.

    Args:
        seed: the only seed to run.
        given: options that have no effect with a single seed; None if not given.
    """
    if seed is None:
        return list(range(given["--seeds"] or WORLDS))
    if unused := [option for option, value in given.items() if value is not None]:
        raise UserError(f"{unused[0]}: has no effect with --seed, which runs one seed without a table; leave it out")
    return [seed]


def _folders(folder: Path, seeds: Iterable[int]) -> dict[int, Path]:
    """Return the run directory of every seed.

    Raises:
        UserError: a directory was made with an earlier version of the synthetic world; no seed has run yet.
    """
    from unmirage.testbed.study import refuse_old_world

    folders = {seed: folder / f"seed-{seed}" for seed in seeds}
    for path in folders.values():
        refuse_old_world(path)
    return folders


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))  # for 80 columns
    for number, head in enumerate(heads):
        table.add_column(head, no_wrap=number == 0, justify="right" if number else "left")
    for row in rows:
        table.add_row(*(plain(cell, longest=120) for cell in row))
    out.print(table)


def _print(document: dict[str, Any]) -> None:
    from unmirage.testbed.methods_table import cells, front_lines, heads

    _print_table(heads(document), [cells(row) for row in document["rows"]])
    out.print(f"percent, [95 % interval], seeds: {', '.join(map(str, document['seeds']))}", style="dim", markup=False)
    out.print(
        "Rows that no other row beats (ASR after, benign answered after, utility, neighbor utility):", soft_wrap=True
    )
    for line in front_lines(document):
        out.print(f"  {line}", markup=False, soft_wrap=True)


def _commit() -> str:
    """Return the commit of a checkout, with "-dirty" where files are changed; "" for an installed package."""
    git = shutil.which("git")
    if git is None or not _said(git, "ls-files", Path(__file__).name):
        return ""  # an installed package may lie inside another project's checkout
    return _said(git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _said(git: str, *command: str) -> str:
    done = subprocess.run([git, *command], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() if done.returncode == 0 else ""
