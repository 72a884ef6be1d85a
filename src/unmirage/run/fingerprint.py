"""Hash data and model files and records, so that a run detects when they have changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from unmirage.records import Query, Sample

_BLOCK = 1 << 16
_BLOCKS = 64  # evenly spread over a large file; files up to 4 MiB are read whole


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a whole file, or "" if `path` is not a file, such as a hub dataset."""
    if not path.is_file():
        return ""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def folder_fingerprint(folder: Path) -> dict[str, str]:
    """Return a short hash by file name, for the files of a model directory that determine its responses.

    Of a large file, only the size and evenly spread blocks are hashed: training changes all parts of the weights.
    """
    kept = (".safetensors", ".json", ".jinja", ".model", ".txt")
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix in kept)
    return {path.name: _spread(path) for path in files}


def encoder_identity(encoder: object) -> str | None:
    """Return what tells a sentence encoder from others: name and hash of its directory, or its class; None without."""
    if encoder is None or not isinstance(encoder, str | Path):
        return None if encoder is None else type(encoder).__name__
    folder = Path(encoder).resolve()
    digest = hashlib.sha256(repr(sorted(folder_fingerprint(folder).items())).encode()).hexdigest()
    return f"{folder.name} {digest[:12]}"


def source_hash(modules: Iterable[str]) -> str:
    """Return a short hash of the source files of modules; of packages with all files in them, such as word lists."""
    digest = hashlib.sha256()
    for name in modules:
        found = find_spec(name)
        assert found is not None, name
        for place in map(Path, found.submodule_search_locations or [found.origin or ""]):
            files = sorted(place.rglob("*")) if place.is_dir() else [place]
            for file in files:
                if file.is_file() and file.suffix != ".pyc":
                    digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _spread(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    step = max(_BLOCK, size // _BLOCKS)
    with path.open("rb") as file:
        for start in range(0, size, step):
            file.seek(start)
            digest.update(file.read(_BLOCK))
    return digest.hexdigest()[:16]


def hashed_fields(record: Sample | Query) -> dict[str, Any]:
    """Return the fields of a record for a hash.

    Empty fields that older versions lack are left out, so that hashes of ordinary records stay the same.
    """
    later = ("images", "context", "rejected")
    return {name: value for name, value in asdict(record).items() if value or name not in later}
