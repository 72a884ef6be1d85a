"""The run directory: one process at a time, one configuration, all files that a report needs."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from unmirage.errors import UserError, unknown
from unmirage.records import Failure
from unmirage.run.files import read_object, write_json_atomic, write_text_atomic
from unmirage.run.paths import FOLDER, kind_of, meant
from unmirage.run.store import Store

log = logging.getLogger(__name__)
STORE = "store.sqlite"
_TOLD = 8  # differences between two configurations in one message
_ABSENT = object()


class Run:
    """Paths and files of one run.

    `unmirage.attack` creates one; `Run("DIR")` opens an existing one.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config_file = self.path / "config.yaml"  # the resolved configuration
        self.results_file = self.path / "results.json"  # the rates
        self.report_file = self.path / "report.html"
        self.data = self.path / "data"  # data files that the run made

    def model(self, name: str) -> Path:
        """Return the folder of a model that the run made."""
        return self.path / "models" / name

    @property
    def models(self) -> list[str]:
        """Return the names of the models with responses or failures in this run."""
        if not (self.path / STORE).is_file():
            return []  # opening the store would create it
        with self.store() as store:
            return store.models()

    def failures(self, model: str) -> list[Failure]:
        """Return the queries that got no response from a model, with the reasons.

        Raises:
            UserError: the run has no such model.
        """
        self._check_model(model)
        with self.store() as store:
            return store.failures(model)

    def drop(self, model: str) -> None:
        """Remove a model's responses, verdicts and scores from this run.

        Raises:
            UserError: the run has no such model, or another process has locked the run.
        """
        self._check_model(model)
        with self.held(), self.store() as store:
            store.drop_model(model)

    def _check_model(self, model: str) -> None:
        if model not in self.models:
            if not self.models:
                raise UserError(f"{self.path}: no model has answered; add one with `unmirage attack`")
            raise unknown("model", model, self.models)

    def __repr__(self) -> str:
        if not self.config_file.is_file():
            return f"Run({str(self.path)!r}), not made yet"
        judged = "judged" if self.results_file.is_file() else "not judged yet"
        names = self.models or list(self._judged_models())
        return f"Run({str(self.path)!r}): {', '.join(names) or 'no model has answered'}; {judged}"

    def _judged_models(self) -> Sequence[str]:
        """Return the models of results.json, for runs whose responses are in other folders, such as a demo's."""
        return list(read_object(self.results_file).get("models", ())) if self.results_file.is_file() else ()

    def store(self) -> Store:
        """Open the store; use it as a context manager."""
        return Store(self.path / STORE)

    def config(self) -> dict[str, Any]:
        """Return the configuration of the run."""
        try:
            loaded = yaml.safe_load(self.config_file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"{self.config_file}: invalid YAML ({' '.join(str(error).split())})") from None
        if not isinstance(loaded, dict):
            raise UserError(f"{self.config_file}: not a mapping of settings; restore the file")
        return loaded

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the run. `open_run` does so itself.

        Raises:
            UserError: another process has locked it.
        """
        with _locked(self.path):
            yield

    def write_json(self, path: Path, document: Mapping[str, Any]) -> None:
        """Write a JSON file of the run; NaN raises ValueError."""
        write_json_atomic(path, document)


@contextmanager
def open_run(
    path: Path, config: Mapping[str, Any], *, abandoned: Callable[[Path], bool] | None = None
) -> Iterator[Run]:
    """Create a run directory, or reopen one with the same configuration, and lock it inside the block.

    The configuration of a run that failed before it had a response or any other file is replaced, so that it does not
    block the corrected command.

    Args:
        path: the directory; an existing one must be empty or a run.
        config: resolved settings, plain values only.
        abandoned: called if the configuration differs; whether the run has nothing that is worth keeping, and its
            files are gone. Default: it has no file beside its configuration and a store without responses.

    Raises:
        UserError: another process has locked it, it is not a run directory, or its configuration differs.
    """
    config_file = Run(path).config_file
    if path.exists() and (not path.is_dir() or (_has_files(path) and not config_file.is_file())):
        raise UserError(f"{path}: exists and is not a run directory; name a new one with --out")
    path.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        run = Run(path)
        try:
            if config_file.is_file():
                check_same(path, run.config(), config)
        except UserError:
            if not (abandoned or _holds_nothing)(path):
                raise
            log.info("%s: the settings of an earlier run, which left nothing to resume, are replaced", path)
            config_file.unlink()
        if not config_file.is_file():
            write_text_atomic(config_file, yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))
        yield run


def check_no_model(path: Path) -> None:
    """Raise `UserError` if the directory for a study's results is that of a model."""
    if (path / "config.json").is_file():
        raise UserError(f"{path}: is the directory of a model; name a new one with --out")


def check_same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise `UserError` with the first differences if the settings of a directory and of a command differ."""
    changed = list(_differences(before, now))
    if changed:
        more = f"; and {len(changed) - _TOLD} more" if len(changed) > _TOLD else ""
        told = "; ".join(changed[:_TOLD]) + more
        raise UserError(f"{path}: made with other settings ({told}); name a new run with --out")


def existing_run(path: Path, model: str | Path = "") -> Run:
    """Return the run at `path`.

    Args:
        path: the directory.
        model: the model that a command names beside it, with which it may be swapped.

    Raises:
        UserError: it is not a run directory.
    """
    run = Run(path)
    if run.config_file.is_file():
        return run
    create = "create one with `unmirage attack` or `demo`"
    if not path.exists():
        hint = meant(path)
        raise UserError(f"{path}: not a run directory (no such folder); {create}" + (f".{hint}" if hint else ""))
    if (kind := kind_of(path)) != FOLDER:
        swapped = ". Are the arguments swapped?" if Run(Path(model)).config_file.is_file() else ""
        raise UserError(f"{path}: not a run directory, but {kind}; {create}{swapped}")
    raise UserError(f"{path}: not a run directory (no config.yaml); {create}")


def _has_files(path: Path) -> bool:
    """Ignore our own hidden files, so that a run killed before it wrote its configuration can start again."""
    return any(not item.name.startswith(".") for item in path.iterdir())


def has_only_settings(path: Path) -> bool:
    """Return whether a run directory has no file beside its configuration, so that others may use it."""
    return [item.name for item in path.iterdir() if not item.name.startswith(".")] == [Run(path).config_file.name]


def _holds_nothing(path: Path) -> bool:
    """Return whether a run directory has only settings and queries, and remove the queries."""
    store = [item for item in path.iterdir() if item.name.startswith(STORE)]
    others = [item for item in path.iterdir() if not item.name.startswith(".") and item not in store]
    if [item.name for item in others] != [Run(path).config_file.name] or Run(path).models:
        return False
    for item in store:
        item.unlink()
    return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an advisory lock; the system releases it when the process ends, even after a crash."""
    with (path / ".lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            raise UserError(f"{path}: in use by another process (PID {owner}); wait for it or name another") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield each setting that differs; a group that only one side has counts as one difference."""
    for key in sorted({*before, *now}):
        old, new = before.get(key, _ABSENT), now.get(key, _ABSENT)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _differences(old, new, f"{prefix}{key}.")
        elif _plain(old) != _plain(new) and not (_is_unset(old) and _is_unset(new)):
            yield f"{prefix}{key}: was {_told(old)}, now {_told(new)}"


def _is_unset(value: Any) -> bool:
    """Tell whether a setting is absent or None, which mean the same: a later version may have added it."""
    return value is _ABSENT or value is None


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _told(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    return "there" if isinstance(value, Mapping) else repr(_plain(value))
