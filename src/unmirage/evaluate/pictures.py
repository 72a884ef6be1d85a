"""A run in, the pictures that its queries name out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unmirage.data.hub import HUB
from unmirage.data.images import ImageFolder, Pictures
from unmirage.data.load import find_source
from unmirage.data.parquet import is_parquet
from unmirage.errors import UserError
from unmirage.evaluate.suites import suite_pictures
from unmirage.run.directory import Run
from unmirage.run.fingerprint import sha256_of


def pictures_of(run: Run) -> Pictures:
    """Return the pictures in the run's data, where it may hold some, else those of the folder that the run names.

    Raises:
        UserError: the data is not there, or is no longer what the run asked: pictures in it are known by their rows.
    """
    config = run.config()
    data = str(config.get("data", ""))
    _require_same(data, config.get("data_sha256"))
    if config.get("suite") is not None:
        return suite_pictures(config)
    folder = _folder(run, config)
    if data.startswith(HUB) or (data and is_parquet(Path(data))):
        return find_source(Path(data)).pictures(folder)
    return ImageFolder(folder)


def pictures_at_hand(run: Run) -> Pictures:
    """Return the pictures that can be shown without the network: those of the run's folder where the data is not there.

    Whatever the run's configuration says, and be it broken, this is no error: pages then show a run without pictures.
    """
    folder = run.path
    try:
        config = run.config()
        folder = _folder(run, config)
        return ImageFolder(folder) if str(config.get("data", "")).startswith(HUB) else pictures_of(run)
    except (UserError, OSError, KeyError, TypeError):
        return ImageFolder(folder)


def _folder(run: Run, config: Mapping[str, Any]) -> Path:
    images = config.get("images")
    return run.path / images if isinstance(images, str) else run.path


def _require_same(data: str, sha256: object) -> None:
    """Refuse a file whose rows hold pictures, and that is another one now. Of folders and the hub no hash is known."""
    path = Path(data)
    if sha256 and path.is_file() and is_parquet(path) and sha256_of(path) != sha256:
        raise UserError(f"{data}: is no longer the file that the run asked; valid: the one with SHA-256 {sha256}")
