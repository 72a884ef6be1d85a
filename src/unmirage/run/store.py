"""SQLite store of a run: queries, responses and verdicts. Committed rows survive a crash."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, fields
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from unmirage.errors import UserError
from unmirage.records import (
    Ended,
    Failure,
    Gold,
    Judgement,
    Kind,
    Query,
    Response,
    Sample,
    Score,
    Variant,
    Verdict,
    placed_from,
    turns_from,
)

Item = TypeVar("Item")
Member = TypeVar("Member", bound=StrEnum)

_ROWS, _SECONDS = 64, 2.0  # maximum loss when the process is killed


def keep_as_they_come(found: Iterable[Item], keep: Callable[[Sequence[Item]], None]) -> None:
    """Pass results to `keep` in small batches, and pass the rest when an error stops the work."""
    pending: list[Item] = []
    since = time.monotonic()
    try:
        for one in found:
            pending.append(one)
            if len(pending) >= _ROWS or time.monotonic() - since > _SECONDS:
                now, pending, since = pending, [], time.monotonic()
                keep(now)
    finally:
        if pending:
            keep(pending)


_SCHEMA = """
CREATE TABLE IF NOT EXISTS samples (
    id TEXT PRIMARY KEY, record TEXT NOT NULL, query TEXT NOT NULL, answer TEXT NOT NULL, image TEXT,
    refused INTEGER NOT NULL, label_source TEXT NOT NULL, category TEXT, "group" TEXT,
    images TEXT NOT NULL DEFAULT '[]', context TEXT NOT NULL DEFAULT '[]', rejected TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS queries (
    id TEXT PRIMARY KEY, sample_id TEXT NOT NULL, kind TEXT NOT NULL, shot INTEGER NOT NULL, text TEXT NOT NULL,
    image TEXT, unsafe INTEGER NOT NULL, word TEXT, images TEXT NOT NULL DEFAULT '[]',
    context TEXT NOT NULL DEFAULT '[]', family TEXT);
CREATE TABLE IF NOT EXISTS responses (
    query_id TEXT NOT NULL REFERENCES queries(id), model TEXT NOT NULL, text TEXT NOT NULL,
    tokens INTEGER NOT NULL, ended TEXT NOT NULL DEFAULT 'stop', thoughts TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (query_id, model));
CREATE TABLE IF NOT EXISTS failures (
    query_id TEXT NOT NULL, model TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (query_id, model));
CREATE TABLE IF NOT EXISTS model_files (
    model TEXT NOT NULL, file TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (model, file));
CREATE TABLE IF NOT EXISTS judgements (
    query_id TEXT NOT NULL, model TEXT NOT NULL, judge TEXT NOT NULL, verdict TEXT NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (query_id, model, judge));
CREATE TABLE IF NOT EXISTS gold (query_id TEXT PRIMARY KEY, answers TEXT NOT NULL, choices TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS scores (
    query_id TEXT NOT NULL, model TEXT NOT NULL, scorer TEXT NOT NULL, value REAL NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (query_id, model, scorer));
CREATE TABLE IF NOT EXISTS notes (model TEXT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (model, note));
CREATE TABLE IF NOT EXISTS variants (
    model TEXT PRIMARY KEY, of TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL, amount REAL NOT NULL);
"""

_PARTS = "TEXT NOT NULL DEFAULT '[]'"
_LATER = {
    "samples": {"group": "TEXT", "images": _PARTS, "context": _PARTS, "rejected": "TEXT NOT NULL DEFAULT ''"},
    "queries": {"images": _PARTS, "context": _PARTS, "family": "TEXT"},
    "responses": {"ended": "TEXT NOT NULL DEFAULT 'stop'", "thoughts": "TEXT NOT NULL DEFAULT ''"},
}


class Store:
    """Store and load records in one SQLite file. Every `add_*` call is one transaction."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors_named():
            self._db = sqlite3.connect(path)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.executescript(_SCHEMA)
            self._add_missing_columns()

    def _add_missing_columns(self) -> None:
        """Give the tables of older stores the columns that came later."""
        for table, columns in _LATER.items():
            known = {row[1] for row in self._db.execute(f"PRAGMA table_info({table})")}
            for name, kind in columns.items():
                if name not in known:
                    with self._db:
                        self._db.execute(f'ALTER TABLE {table} ADD COLUMN "{name}" {kind}')
            if table == "responses" and "finished" in known:  # what `ended` was before
                with self._db:
                    self._db.execute("UPDATE responses SET ended = 'length' WHERE NOT finished")
                    self._db.execute("ALTER TABLE responses DROP COLUMN finished")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def add_samples(self, samples: Iterable[Sample]) -> None:
        """Add samples; existing samples stay unchanged."""
        self._add("samples", Sample, samples)

    def add_queries(self, queries: Iterable[Query]) -> None:
        """Add queries; existing queries stay unchanged."""
        self._add("queries", Query, queries)

    def add_responses(self, responses: Iterable[Response]) -> None:
        """Add responses and delete the failures of their queries; a model's first response to a query stays."""
        found = list(responses)
        with self._errors_named(), self._db:
            self._insert("responses", Response, found)
            answered = [(one.query_id, one.model) for one in found]
            self._db.executemany("DELETE FROM failures WHERE query_id = ? AND model = ?", answered)

    def add_failures(self, failures: Iterable[Failure]) -> None:
        """Store the latest reason why a query has no response from a model."""
        found = list(failures)
        with self._errors_named(), self._db:
            again = [(one.query_id, one.model) for one in found]
            self._db.executemany("DELETE FROM failures WHERE query_id = ? AND model = ?", again)
            self._insert("failures", Failure, found)

    def replace_judgements(self, model: str, judge: str, judgements: Iterable[Judgement]) -> None:
        """Replace all verdicts of `judge` on `model`."""
        with self._errors_named(), self._db:
            self._db.execute("DELETE FROM judgements WHERE model = ? AND judge = ?", (model, judge))
            self._insert("judgements", Judgement, judgements)

    def put_judgements(self, judgements: Iterable[Judgement]) -> None:
        """Add judgements; each replaces the same judge's earlier verdict on that response."""
        with self._errors_named(), self._db:
            self._insert("judgements", Judgement, judgements, replace=True)

    def add_gold(self, gold: Iterable[Gold]) -> None:
        """Add reference answers; existing ones stay unchanged."""
        self._add("gold", Gold, gold)

    def replace_scores(self, model: str, scorer: str, scores: Iterable[Score]) -> None:
        """Replace all scores of `model` by one scorer."""
        with self._errors_named(), self._db:
            self._db.execute("DELETE FROM scores WHERE model = ? AND scorer = ?", (model, scorer))
            self._insert("scores", Score, scores)

    def add_variant(self, variant: Variant) -> None:
        """Record the original of a modified model; existing records stay unchanged."""
        self._add("variants", Variant, [variant])

    def add_model(self, name: str, files: Mapping[str, str]) -> None:
        """Record the files of a model, or reject a different model of the same name.

        Args:
            files: a hash by file name, or other properties that identify the model.

        Raises:
            UserError: another model has responded under this name; the message names the differences.
        """
        with self._errors_named(), self._db:
            found = dict(self._db.execute("SELECT file, hash FROM model_files WHERE model = ?", (name,)))
            changed = [
                f"{file}: was {found.get(file, 'absent')}, now {files.get(file, 'absent')}"
                for file in sorted({*found, *files})
                if found.get(file) != files.get(file)
            ]
            if found and changed:
                raise UserError(
                    f"{self._path.parent}: another model has responded as '{name}' ({'; '.join(changed[:3])}); "
                    "choose another name with --name, or a new run with --out"
                )
            rows = [(name, file, hashed) for file, hashed in files.items()]
            self._db.executemany("INSERT OR IGNORE INTO model_files VALUES (?, ?, ?)", rows)

    def add_notes(self, model: str, notes: Iterable[str]) -> None:
        """Record how a model's or judge's responses were collected; results repeat these lines."""
        with self._errors_named(), self._db:
            self._db.executemany("INSERT OR IGNORE INTO notes VALUES (?, ?)", [(model, note) for note in notes])

    def notes(self, models: Sequence[str]) -> list[str]:
        """Return the notes on these models and judges, one line each."""
        with self._errors_named():
            found = self._db.execute("SELECT model, note FROM notes ORDER BY rowid").fetchall()
        return [f"{model}: {note}" for name in models for model, note in found if model == name]

    def has_responses(self, model: str) -> bool:
        """Return whether the model has responded to any query."""
        with self._errors_named():
            return self._db.execute("SELECT 1 FROM responses WHERE model = ? LIMIT 1", (model,)).fetchone() is not None

    def drop_model(self, name: str) -> None:
        """Remove a model's responses, failures, judgements, scores, notes and file record."""
        with self._errors_named(), self._db:
            for table in ("responses", "failures", "judgements", "scores", "model_files", "variants", "notes"):
                self._db.execute(f"DELETE FROM {table} WHERE model = ?", (name,))  # noqa: S608 - a fixed name

    def model_files(self, name: str) -> dict[str, str]:
        """Return the files that `add_model` recorded for a model; empty if it is unknown."""
        with self._errors_named():
            return dict(self._db.execute("SELECT file, hash FROM model_files WHERE model = ? ORDER BY file", (name,)))

    def samples(self) -> list[Sample]:
        """Return all samples, in insertion order."""
        rows = self._rows("samples", Sample)
        return [Sample(**(row | {"refused": bool(row["refused"])} | _pictured(row))) for row in rows]

    def queries(self) -> list[Query]:
        """Return all queries, in insertion order."""
        rows = self._rows("queries", Query)
        kinds = [self._as(Kind, row["kind"]) for row in rows]
        return [
            Query(**(row | {"unsafe": bool(row["unsafe"]), "kind": kind} | _pictured(row)))
            for row, kind in zip(rows, kinds, strict=True)
        ]

    def responses(self, model: str) -> list[Response]:
        """Return all responses of one model."""
        rows = self._rows("responses", Response, "WHERE model = ?", model)
        return [Response(**(row | {"ended": self._as(Ended, row["ended"])})) for row in rows]

    def failures(self, model: str) -> list[Failure]:
        """Return the queries whose last request to a model failed, with the reasons."""
        return [Failure(**row) for row in self._rows("failures", Failure, "WHERE model = ?", model)]

    def judgements(self, model: str, judge: str) -> list[Judgement]:
        """Return all judgements of one judge on one model."""
        rows = self._rows("judgements", Judgement, "WHERE model = ? AND judge = ?", model, judge)
        return [Judgement(**(row | {"verdict": self._as(Verdict, row["verdict"])})) for row in rows]

    def gold(self) -> dict[str, Gold]:
        """Return the reference answers, by query."""
        rows = self._rows("gold", Gold)
        lists = ("answers", "choices")
        found = [Gold(**(row | {name: tuple(json.loads(row[name])) for name in lists})) for row in rows]
        return {one.query_id: one for one in found}

    def scores(self, model: str) -> list[Score]:
        """Return all scores of one model, by all scorers."""
        return [Score(**row) for row in self._rows("scores", Score, "WHERE model = ?", model)]

    def variants(self) -> dict[str, Variant]:
        """Return the modified models, by name."""
        return {row["model"]: Variant(**row) for row in self._rows("variants", Variant)}

    def models(self) -> list[str]:
        """Return all models with responses, in the order of their first one, then models with failures only."""
        found = [
            row[0]
            for table in ("responses", "failures")
            for row in self._db.execute(f"SELECT model FROM {table} GROUP BY model ORDER BY MIN(rowid)")  # noqa: S608
        ]
        return list(dict.fromkeys(found))

    def unanswered(self, model: str) -> list[Query]:
        """Return the queries to which `model` has not responded yet."""
        answered = {response.query_id for response in self.responses(model)}
        return [query for query in self.queries() if query.id not in answered]

    def _add(self, table: str, record: type, items: Iterable[object]) -> None:
        with self._errors_named(), self._db:
            self._insert(table, record, items)

    def _insert(self, table: str, record: type, items: Iterable[object], *, replace: bool = False) -> None:
        names = _columns(record)
        marks = ", ".join("?" * len(names))
        statement = f"INSERT OR {'REPLACE' if replace else 'IGNORE'} INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - our names
        self._db.executemany(statement, (tuple(map(_storable, astuple(item))) for item in items))  # type: ignore[call-overload]

    def _rows(self, table: str, record: type, where: str = "", *values: str) -> list[dict[str, Any]]:
        statement = f"SELECT {', '.join(_columns(record))} FROM {table} {where} ORDER BY rowid"  # noqa: S608 - our names
        with self._errors_named():
            names = [field.name for field in fields(record)]
            return [dict(zip(names, row, strict=True)) for row in self._db.execute(statement, values)]

    def _as(self, kind: type[Member], value: str) -> Member:
        """Return a member of an enumeration; raise `UserError` for a value that only another version knows."""
        try:
            return kind(value)
        except ValueError as error:
            raise UserError(
                f"{self._path}: {kind.__name__.lower()} '{value[:80]}' is unknown; another version of unmirage wrote "
                "this run. Read it with that version, or start a new run directory"
            ) from error

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        """Turn file errors (full disk, read-only, corrupt) into one line that names the file."""
        try:
            yield
        except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
            raise  # a bug of this program, not of the file
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise UserError(
                    f"{self._path}: the file is corrupt ({error}). Restore it, or delete it to start the run again"
                ) from error
            raise UserError(
                f"{self._path}: {error}. Check free disk space, permissions and other processes that use the file. "
                "Then run the command again"
            ) from error


def _columns(record: type) -> list[str]:
    """Return the column names, quoted for SQL, where "group" is a keyword."""
    return [f'"{field.name}"' for field in fields(record)]


def _pictured(row: Mapping[str, str]) -> dict[str, Any]:
    """Return the pictures and earlier turns of a sample or query."""
    return {"images": placed_from(json.loads(row["images"])), "context": turns_from(json.loads(row["context"]))}


def _storable(value: object) -> object:
    """Return a field as SQLite accepts it; lone surrogates, which UTF-8 cannot encode, become "?"."""
    if isinstance(value, tuple):
        return json.dumps(value)
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
