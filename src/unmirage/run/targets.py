"""Check the output files of a command before the work, and name the file if writing fails."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from unmirage.errors import UserError


def check_targets(targets: Mapping[str, Path | None], inputs: Iterable[str]) -> None:
    """Raise `UserError` for an output that is an input, a folder, given twice, or in a folder without write access.

    Args:
        targets: the output file by option; None if the option is not given.
        inputs: input files of the command; empty names are ignored.
    """
    read = {Path(name).resolve() for name in inputs if name}
    taken: dict[Path, str] = {}
    for option, path in targets.items():
        if path is None:
            continue
        real = path.resolve()
        if real in read:
            raise UserError(f"{option}: {path} is an input file and would be overwritten; name another file")
        if path.is_dir():
            raise UserError(f"{option}: {path} is a folder; name a file")
        if real in taken:
            raise UserError(f"{option}: {path} is also given to {taken[real]}; name another file")
        taken[real] = option
        _check_folder(option, path)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn file system errors into errors that name `path`, not the temporary file beside it."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}); no file was written") from None


def _check_folder(option: str, path: Path) -> None:
    folder = next(one for one in path.absolute().parents if one.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{option}: {path} cannot be written: {folder} is not a writable folder")
