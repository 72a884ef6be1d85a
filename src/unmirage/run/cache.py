"""Cache paid replies in one SQLite file, so that no request is paid for twice, even after a crash."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from unmirage.errors import UserError


def cache_folder() -> Path:
    """Return the folder of cached base models: $UNMIRAGE_CACHE, else the user's cache directory."""
    if "UNMIRAGE_CACHE" in os.environ:
        return Path(os.environ["UNMIRAGE_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "unmirage"


class TextCache:
    """Cache of texts by key. The file is created if it is missing. Use as a context manager, in one thread.

    Raises:
        UserError: the file cannot be read or written; also from `get` and `put`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors_named():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None)  # every statement is committed at once
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("CREATE TABLE IF NOT EXISTS texts (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
            except sqlite3.DatabaseError:
                self._db.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def get(self, key: str) -> str | None:
        """Return the value of `key`; None if there is none."""
        with self._errors_named():
            row = self._db.execute("SELECT value FROM texts WHERE key = ?", (_storable(key),)).fetchone()
        return None if row is None else str(row[0])

    def put(self, key: str, value: str) -> None:
        """Store `value` under `key` and replace any earlier value. The value is on disk when this returns."""
        with self._errors_named():
            self._db.execute("INSERT OR REPLACE INTO texts VALUES (?, ?)", (_storable(key), _storable(value)))

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # a bug of this program, not of the file
        except (sqlite3.DatabaseError, OSError) as error:
            raise UserError(f"{self._path}: {error}; earlier entries are kept") from error


def _storable(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot encode, by "?"."""
    return text.encode("utf-8", "replace").decode("utf-8")
