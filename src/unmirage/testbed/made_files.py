"""Detect changes to the files of a study.

A study skips all stages whose files exist. Without this check, it would use a truncated or edited file and attribute
the rates to the original.
"""

from __future__ import annotations

import logging
from pathlib import Path

from unmirage.errors import UserError
from unmirage.run.files import read_object, write_json_atomic
from unmirage.run.fingerprint import folder_fingerprint, sha256_of
from unmirage.run.store import Store

log = logging.getLogger(__name__)
FILE = "files.json"


def check_files(run: Path, folder: Path, *, new: bool = False) -> None:
    """Compare the files in `folder` with those that were recorded; record them if nothing was.

    Args:
        new: the study has just made the files. Otherwise, a missing record is logged as a warning.

    Raises:
        UserError: one is missing or differs.
    """
    everything = read_object(run / FILE) if (run / FILE).is_file() else {}
    prefix = f"{folder.relative_to(run).as_posix()}/"
    recorded = {name: digest for name, digest in everything.items() if name.startswith(prefix)}
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = {path.relative_to(run).as_posix(): sha256_of(path) for path in files}
    if not recorded:
        if not new:
            log.warning("%s: no record of its files was found. They are used as they are, and recorded now", folder)
        write_json_atomic(run / FILE, everything | found)
        return
    for name, digest in recorded.items():
        if name not in found:
            raise UserError(f"{run / name}: file is missing. Delete {folder} to rebuild it")
        if found[name] != digest:
            raise UserError(
                f"{run / name}: file was changed after the study made it. Delete {folder} to rebuild it, or name a "
                "new directory with --out"
            )


def check_model(store: Store, name: str, folder: Path) -> None:
    """Compare a model directory with the model that has answered in this run under the same name; record a new one.

    Raises:
        UserError: it is another model, or its files are corrupt.
    """
    now, before = folder_fingerprint(folder), store.model_files(name)
    if before and before != now:
        changed = next(file for file in sorted({*before, *now}) if before.get(file) != now.get(file))
        raise UserError(
            f"{folder / changed}: file differs from the model that has answered in this run. Restore it, or name a "
            "new directory with --out"
        )
    store.add_model(name, now)
