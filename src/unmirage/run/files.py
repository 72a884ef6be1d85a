"""Writing to disk so that a reader never meets half a file: everything appears whole, or not at all."""

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
    """Yield a file to write bytes to, that becomes `path` when the block succeeds, and is removed when it fails."""
    with _new_file(path) as handle, os.fdopen(handle, "wb") as file:
        yield file
        _settle(file)


@contextmanager
def open_text_atomic(path: Path) -> Iterator[TextIO]:
    """Yield a file to write text to, like `open_bytes_atomic`: as UTF-8; lone surrogates are written as "?"."""
    with _new_file(path) as handle, os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="") as file:
        yield file
        _settle(file)


@contextmanager
def _new_file(path: Path) -> Iterator[int]:
    """Yield the handle of a temporary file in the same folder, which the block has to close, and then rename it."""
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
    """Force what was written to disk, so that the rename never becomes visible before the content."""
    file.flush()
    os.fsync(file.fileno())


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Write `content` to `path` through a temporary file in the same folder, synced and then renamed."""
    with open_bytes_atomic(path) as file:
        file.write(content)


def write_text_atomic(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all; lone surrogates are written as "?"."""
    with open_text_atomic(path) as file:
        file.write(text)


def write_json_atomic(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON document to `path`, whole or not at all; NaN is refused."""
    write_text_atomic(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `path` when the block succeeds, and is removed when it fails.

    What stood at `path` is replaced only then.
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
    """Keep what stands at `path` under another name until the block has put something in its place."""
    aside = path.with_name(f".{path.name}.old")
    if path.exists():
        path.replace(aside)
    yield
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def tensors_written(path: Path) -> Iterator[None]:
    """Turn what safetensors and torch meet when tensors do not fit on the disk into one line that names `path`.

    They hide the system's error in errors of their own; torch's is a bare RuntimeError.
    """
    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "PytorchStreamWriter" not in str(error):
            raise
        raise UserError(f"{path}: cannot be written: {' '.join(str(error).split())[:200]}") from error


def sync_folder(folder: Path) -> None:
    """Force every file below `folder` to disk, so that the rename never becomes visible before the content."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
