"""A run while it is written: copies of its store, progress by model, and rates of the free phrase judge."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock

from unmirage.errors import UserError
from unmirage.evaluate import PhraseJudge
from unmirage.evaluate.assess import Judging, evaluate_run
from unmirage.evaluate.results import Results
from unmirage.report.run_page import render_run_page
from unmirage.run import Run
from unmirage.run.directory import STORE

_PATIENCE = 5.0  # seconds to wait for a writer
_FILES = ("config.yaml", "results.json", "audit.json", "explain.json", "search.json", "overlap.json")
_AGE = 5.0  # seconds for which a copy counts as new


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a model is: queries with a response, queries without one, and all."""

    model: str
    responses: int
    failures: int
    queries: int


@dataclass(frozen=True, slots=True)
class State:
    """A run at one moment.

    Attributes:
        name: name of the run's directory.
        progress: by model; empty before the first response.
        results: rates; None if no response can be judged yet.
        judged: whether `unmirage evaluate` made these rates; otherwise they are preliminary ones of the phrase judge.
        finished: whether every query has a response or a failure, and the rates are those of `unmirage evaluate`.
        read: when the run was read.
        note: why the run could not be read just now; "" if it could.
    """

    name: str
    progress: tuple[Progress, ...]
    results: Results | None
    judged: bool
    finished: bool
    read: datetime
    note: str = ""


class LiveRun:
    """Reads a run without writing to it.

    Args:
        run: the run.
        folder: an existing folder for copies, which are the only files that are written.
    """

    def __init__(self, run: Run, folder: Path) -> None:
        self.run = run
        self._copy = Run(folder / run.path.resolve().name)
        self._lock = Lock()
        self._state: State | None = None
        self._stamp: tuple[float, ...] = ()
        self._read = 0.0

    def state(self) -> State:
        """Return the state of the run, at most a few seconds old.

        Raises:
            UserError: the run cannot be read, and never could.
        """
        with self._lock:
            if self._state is None or time.monotonic() - self._read > _AGE:
                self._refresh()
            assert self._state is not None
            return self._state

    def page(self) -> str:
        """Return the report of the run as it is now.

        Raises:
            UserError: nothing can be judged yet.
        """
        state = self.state()
        if state.results is None:
            raise UserError(f"{state.name}: no response can be judged yet")
        with self._lock:
            return render_run_page(self._copy)

    def _refresh(self) -> None:
        stamp = _stamp(self.run)
        if self._state is None or stamp != self._stamp or self._state.note:
            try:
                self._state = self._measured()
                self._stamp = stamp
            except (UserError, sqlite3.Error, OSError) as error:
                if self._state is None:
                    raise UserError(f"{self.run.path}: cannot be read: {error}") from error
                old = self._state
                told = f"not readable just now ({error}); shown as of {old.read:%H:%M:%S}"
                self._state = State(old.name, old.progress, old.results, old.judged, old.finished, old.read, told)
        self._read = time.monotonic()

    def _measured(self) -> State:
        self._copy.path.mkdir(parents=True, exist_ok=True)
        copied = _copy_store(self.run.path / STORE, self._copy.path / STORE)
        self._copy_files()
        progress = _progress(self._copy) if copied else ()
        name, read = self.run.path.resolve().name, datetime.now()
        if self._copy.results_file.is_file():
            results = Results.load(self._copy.results_file)
            if not copied or _is_current(self._copy, results):
                done = all(one.responses + one.failures >= one.queries for one in progress)
                return State(name, progress, results, True, done, read)
        if not any(one.responses for one in progress):
            return State(name, progress, None, False, False, read)
        results = evaluate_run(self._copy, Judging(judges=[PhraseJudge()]))
        self._copy.write_json(self._copy.results_file, results.to_dict())
        return State(name, progress, results, False, False, read)

    def _copy_files(self) -> None:
        """Copy what a report reads besides the store; the data are linked, because they may be large."""
        for name in _FILES:
            source, target = self.run.path / name, self._copy.path / name
            if source.is_file():
                shutil.copyfile(source, target)
            else:
                target.unlink(missing_ok=True)
        if self.run.data.is_dir() and not self._copy.data.exists():
            self._copy.data.symlink_to(self.run.data.resolve(), target_is_directory=True)


def _stamp(run: Run) -> tuple[float, ...]:
    files = [run.path / STORE, run.path / f"{STORE}-wal", run.results_file]
    return tuple(file.stat().st_mtime if file.is_file() else 0.0 for file in files)


def _is_current(run: Run, results: Results) -> bool:
    """Return whether the judge of the results has judged every response."""
    with run.store() as store:
        for model in store.models():
            judged = {one.query_id for one in store.judgements(model, results.judge)}
            if model not in results.models or any(one.query_id not in judged for one in store.responses(model)):
                return False
    return True


def _copy_store(source: Path, target: Path) -> bool:
    """Copy a database as of one moment, while others may write to it; return whether there is one."""
    if not source.is_file():
        return False
    with (
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE)) as read,
        closing(sqlite3.connect(target)) as written,
    ):
        read.backup(written)
    return True


def _progress(run: Run) -> tuple[Progress, ...]:
    with run.store() as store:
        queries = len(store.queries())
        return tuple(
            Progress(name, len(store.responses(name)), len(store.failures(name)), queries) for name in store.models()
        )
