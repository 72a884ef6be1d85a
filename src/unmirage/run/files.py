"""Write files and folders atomically: they appear complete, or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, TextIO

from safetensors import SafetensorError

from unmirage.errors import UserError


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
    """Yield the handle of a temporary file in the same folder, and rename it afterwards. The block must close it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        yield handle
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _settle(file: IO[Any]) -> None:
    """Flush and sync the file, so that the rename never becomes visible before the content."""
    file.flush()
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
        raise UserError(f"{path}: cannot be written: {' '.join(str(error).split())[:200]}") from error


def sync_folder(folder: Path) -> None:
    """Sync every file below `folder`, so that the rename never becomes visible before the content."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
