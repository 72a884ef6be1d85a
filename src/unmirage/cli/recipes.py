"""`unmirage recipes`: list, print and copy the settings files that are shipped with the package."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from unmirage.cli.console import new_table, out, print_json, say
from unmirage.cli.examples import EXAMPLES
from unmirage.cli.layout import HelpCommand

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def _list(
    context: typer.Context,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """List, print and copy the shipped settings: `align --config NAME` accepts the name of a recipe."""
    if context.invoked_subcommand is not None:
        return
    from unmirage.workflows.recipes import recipe_names, recipe_path, recipe_summary

    names = recipe_names()
    if json_output:
        rows = [{"name": one, "summary": recipe_summary(one), "path": str(recipe_path(one))} for one in names]
        print_json({"schema": "unmirage.recipes/1", "recipes": rows})
        return
    table = new_table("recipe", "what it is", left=1)
    for one in names:
        table.add_row(one, recipe_summary(one))
    out.print(table)
    say("Next: unmirage recipes show NAME, or unmirage align MODEL --config NAME ...")


@app.command("show", cls=HelpCommand, epilog="\n".join(EXAMPLES["recipes show"]))
def _show(name: Annotated[str, typer.Argument(help="Recipe, such as npo-lora-7b.", show_default=False)]) -> None:
    """Print a recipe, with the source of each value."""
    from unmirage.workflows.recipes import recipe_path

    sys.stdout.write(recipe_path(name).read_text(encoding="utf-8"))


@app.command("copy", cls=HelpCommand, epilog="\n".join(EXAMPLES["recipes copy"]))
def _copy(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Recipes (default: all).", show_default=False)
    ] = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder of the copies.")] = Path("recipes"),
) -> None:
    """Copy recipes into a folder, to edit them or to pass them to `accelerate launch --config_file`."""
    from unmirage.workflows.recipes import copy_recipes

    for path in copy_recipes(names or (), folder):
        typer.echo(str(path))
