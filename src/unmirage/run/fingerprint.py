"""Files in, what they hold in a few characters out: so that a run notices when its data or model is another one."""

from __future__ import annotations

import hashlib
from pathlib import Path

_BLOCK = 1 << 16
_BLOCKS = 64  # of a large file, evenly spread; all of a file of up to 4 MiB


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a whole file, or "" where `path` is no file, such as a data set of a hub."""
    if not path.is_file():
        return ""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def folder_fingerprint(folder: Path) -> dict[str, str]:
    """Return a short hash by file name, for the files of a model directory that decide what it answers.

    Of a large file its size and blocks spread over it are read: weights that were trained on differ in all of them.
    """
    kept = (".safetensors", ".json", ".jinja", ".model", ".txt")
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix in kept)
    return {path.name: _spread(path) for path in files}


def _spread(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    step = max(_BLOCK, size // _BLOCKS)
    with path.open("rb") as file:
        for start in range(0, size, step):
            file.seek(start)
            digest.update(file.read(_BLOCK))
    return digest.hexdigest()[:16]
