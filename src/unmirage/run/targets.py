"""Files that a command is to write: told before the work if they cannot be, and named if writing fails after it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from unmirage.errors import UserError


def check_targets(targets: Mapping[str, Path | None], inputs: Iterable[str]) -> None:
    """Raise `UserError` for a target that is an input, a folder, named twice, or in a folder that cannot be written.

    Args:
        targets: the file by option; None where the option is not given.
        inputs: what the command reads; empty names are passed over.
    """
    read = {Path(name).resolve() for name in inputs if name}
    taken: dict[Path, str] = {}
    for option, path in targets.items():
        if path is None:
            continue
        real = path.resolve()
        if real in read:
            raise UserError(f"{option}: {path} is an input, and would be overwritten; valid: the name of another file")
        if path.is_dir():
            raise UserError(f"{option}: {path} is a folder; valid: the name of a file")
        if real in taken:
            raise UserError(f"{option}: {path} is named by {taken[real]} too; valid: the name of another file")
        taken[real] = option
        _check_folder(option, path)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn an error of the file system into one that names `path`, not the temporary file beside it."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}); nothing was left there") from None


def _check_folder(option: str, path: Path) -> None:
    folder = next(one for one in path.absolute().parents if one.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{option}: {path} cannot be written, as {folder} is no folder that may be written to")
