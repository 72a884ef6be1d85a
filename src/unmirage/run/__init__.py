"""The run directory and its SQLite store, and atomic writes to disk."""

from unmirage.run.directory import Run, existing_run, open_run
from unmirage.run.files import new_folder, write_text_atomic
from unmirage.run.store import Store

__all__ = [
    "Run",
    "Store",
    "existing_run",
    "new_folder",
    "open_run",
    "write_text_atomic",
]
