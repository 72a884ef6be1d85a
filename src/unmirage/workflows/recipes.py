"""Recipes: shipped settings for `align --config`, and configurations for `accelerate launch`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from unmirage.errors import UserError, unknown
from unmirage.run.files import naming, write_text_atomic
from unmirage.run.paths import no_such

FOLDER = Path(__file__).parents[1] / "recipes"
LAUNCHER = "accelerate/"  # names of configurations for `accelerate launch` begin so; they are no settings of `align`


def recipe_names() -> list[str]:
    """Return the names of all recipes, sorted: "npo-lora-7b", ..., and "accelerate/ddp", ... last."""
    found = (path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.yaml"))
    return sorted(found, key=lambda name: (name.startswith(LAUNCHER), name))


def recipe_path(name: str) -> Path:
    """Return the file of a recipe.

    Raises:
        UserError: no recipe has this name.
    """
    plain = name.removeprefix("recipes/").removesuffix(".yaml")
    if plain not in (names := recipe_names()):
        raise unknown("recipe", name, names)
    return FOLDER / f"{plain}.yaml"


def recipe_summary(name: str) -> str:
    """Return the first sentence of the comment at the top of a recipe, without its end."""
    text = recipe_path(name).read_text(encoding="utf-8")
    comment = takewhile(lambda line: line.startswith("# "), text.splitlines())
    return re.split(r"[.:]\s", " ".join(line.removeprefix("#").strip() for line in comment) + " ")[0]


def copy_recipes(names: Sequence[str], out: Path) -> list[Path]:
    """Copy recipes into a folder, and return the new files.

    Args:
        names: recipes; none for all.
        out: the folder; made if it does not exist. `accelerate/ddp` becomes `out/accelerate/ddp.yaml`.

    Raises:
        UserError: a recipe is unknown, or a file exists with other content. Nothing is written then.
    """
    sources = [recipe_path(name) for name in (names or recipe_names())]
    targets = {out / source.relative_to(FOLDER): source.read_text(encoding="utf-8") for source in sources}
    for target, text in targets.items():
        if target.exists() and (not target.is_file() or target.read_text(encoding="utf-8", errors="replace") != text):
            raise UserError(f"{target}: exists and differs from the recipe; move it, or name another folder with --out")
    for target, text in targets.items():
        with naming(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            write_text_atomic(target, text)
    return list(targets)


def settings_file(given: Path) -> Path:
    """Return the file of settings that a user means: this file, or else the shipped recipe of this name.

    A file has precedence, so that a recipe of a later version never replaces one of the user's.

    Raises:
        UserError: there is neither.
    """
    if given.exists():
        return given
    name = given.as_posix().removeprefix("recipes/").removesuffix(".yaml")
    if name in recipe_names() and not name.startswith(LAUNCHER):
        return recipe_path(name)
    raise no_such("file", given, "nor a recipe of that name, which `unmirage recipes` lists")
