"""Find the images that the queries of a run refer to."""

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
    """Return the images of a run: those in its dataset if the format embeds images, otherwise those in its folder.

    Raises:
        UserError: the dataset is missing, or it has changed since the run, so its row numbers no longer match.
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
    """Return the images that are available offline, or those of the run's folder if the dataset is unavailable.

    An invalid configuration is not an error: pages then show the run without images.
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
    """Raise `UserError` if a file with embedded images has changed. Folders and hub datasets have no known hash."""
    path = Path(data)
    if sha256 and path.is_file() and is_parquet(path) and sha256_of(path) != sha256:
        raise UserError(f"{data}: the file has changed since the run; valid: the file with SHA-256 {sha256}")
