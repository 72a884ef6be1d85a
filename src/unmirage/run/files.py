"""Write files and folders atomically: they appear complete, or not at all."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, NoReturn, TextIO

from safetensors import SafetensorError

from unmirage.errors import UserError, one_line
from unmirage.run.paths import no_such


@contextmanager
def open_bytes_atomic(path: Path) -> Iterator[BinaryIO]:
    """Yield a binary file that becomes `path` if the block succeeds, and is removed if it fails."""
    with _new_file(path) as handle, os.fdopen(handle, "wb") as file:
        yield file
        _settle(file)


@contextmanager
def open_text_atomic(path: Path) -> Iterator[TextIO]:
    """Yield a UTF-8 text file, like `open_bytes_atomic`; lone surrogates are written as "?"."""
    with _new_file(path) as handle, os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="") as file:
        yield file
        _settle(file)


@contextmanager
def _new_file(path: Path) -> Iterator[int]:
    """Yield the handle of a temporary file in the same folder, and rename it afterwards. The block must close it.

    A device or a pipe is written directly, because the new file would replace it.
    """
    if is_device(path):
        yield os.open(path, os.O_WRONLY | os.O_APPEND)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        yield handle
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def is_device(path: Path) -> bool:
    """Return whether a path is a device or a pipe, such as /dev/null, or a link to an open file, as /dev/stdout is."""
    linked = path.is_symlink() and path.readlink().is_relative_to("/proc")
    return linked or (path.exists() and not path.is_file() and not path.is_dir())


def _settle(file: IO[Any]) -> None:
    """Flush and sync the file, so that the rename never becomes visible before the content."""
    file.flush()
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        os.fsync(file.fileno())


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Write `content` to `path` through a temporary file in the same folder, synced and then renamed."""
    with open_bytes_atomic(path) as file:
        file.write(content)


def write_text_atomic(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path` atomically; lone surrogates are written as "?"."""
    with open_text_atomic(path) as file:
        file.write(text)


def write_json_atomic(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON document to `path` atomically; NaN raises ValueError."""
    write_text_atomic(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `path` if the block succeeds, and is removed if it fails.

    An existing folder at `path` is replaced only on success.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
    temporary.chmod(0o755)
    try:
        yield temporary
        sync_folder(temporary)
        with _set_aside(path):
            temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _set_aside(path: Path) -> Iterator[None]:
    """Move the folder at `path` aside until the block has created the new one."""
    aside = path.with_name(f".{path.name}.old")
    if path.exists():
        path.replace(aside)
    yield
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def tensors_written(path: Path) -> Iterator[None]:
    """Turn the errors of safetensors and torch for a full disk into one line that names `path`.

    Both libraries wrap the system's error; torch raises a bare RuntimeError.
    """
    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "PytorchStreamWriter" not in str(error):
            raise
        raise UserError(f"{path}: cannot be written: {one_line(error, 200)}") from error


def sync_folder(folder: Path) -> None:
    """Sync every file below `folder`, so that the rename never becomes visible before the content."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def read_json(path: Path, *, constants: bool = False) -> Any:
    """Return the JSON of a file of UTF-8 text.

    Args:
        path: the file.
        constants: accept NaN and infinities, which Python writes although they are not JSON.

    Raises:
        UserError: the file is missing or cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        return json.loads(text) if constants else json.loads(text, parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise no_such("file", path) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: invalid JSON (line {error.lineno}: {error.msg})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except RecursionError:
        raise UserError(f"{path}: nested too deeply to be read") from None
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object of another program's file, which may contain NaN and infinities."""
    found = read_json(path, constants=True)
    if not isinstance(found, dict):
        raise UserError(f"{path}: not a JSON object; valid: {{...}}")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"contains {name}; valid: finite numbers, or null where there is none")


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
        if is_device(path):
            continue
        if real in taken:
            raise UserError(f"{option}: {path} is also given to {taken[real]}; name another file")
        taken[real] = option
        folder = next(one for one in path.absolute().parents if one.exists())
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise UserError(f"{option}: {path} cannot be written: {folder} is not a writable folder")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn file system errors into errors that name `path`, not the temporary file beside it."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}); no file was written") from None
