"""Say what a path is, or which one was meant, when a command got a wrong one; and quote paths in commands."""

from __future__ import annotations

import shlex
from pathlib import Path

from unmirage.errors import UserError, closest

MODEL_FILES = ("config.json", "adapter_config.json")
RUN_FILE = "config.yaml"
FOLDER = "a folder"


def kind_of(path: Path) -> str:
    """Return what an existing path is: "a file", "a folder", "the directory of a model" or "a run directory"."""
    if not path.is_dir():
        return "a file"
    if any((path / name).is_file() for name in MODEL_FILES):
        return "the directory of a model"
    return "a run directory" if (path / RUN_FILE).is_file() else FOLDER


def meant(path: str | Path) -> str:
    """Return " Did you mean 'x'?" for a neighbor of a missing path with almost the same name; "" if there is none."""
    missing = Path(path)
    try:
        names = [one.name for one in missing.parent.iterdir() if not one.name.startswith(".")]
    except OSError:  # the folder does not exist either, or cannot be read
        return ""
    found = closest(missing.name, names)
    return f" Did you mean '{missing.parent / found}'?" if found else ""


def no_such(what: str, path: str | Path, fix: str = "", *, option: str = "") -> UserError:
    """Return the error for a path that does not exist, with a neighbor of almost the same name as a hint.

    Args:
        what: what should be there, such as "file".
        path: the path as the user gave it.
        fix: what to do, such as "write it with `unmirage evaluate RUN`".
        option: the option that names the path.
    """
    hint = meant(path)
    told = f"{option} {path}".strip() + f": no such {what}{'; ' if fix else ''}{fix}"
    return UserError(f"{told}.{hint}" if hint else told)


def quoted(path: str | Path) -> str:
    """Return a path or name as a word of a shell command."""
    return shlex.quote(str(path))
