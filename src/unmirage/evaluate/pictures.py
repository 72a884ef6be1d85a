"""A run in, the pictures that its queries name out."""

from __future__ import annotations

from pathlib import Path

import yaml

from unmirage.data.hub import HUB
from unmirage.data.images import ImageFolder, Pictures
from unmirage.data.load import find_source
from unmirage.data.parquet import is_parquet
from unmirage.errors import UserError
from unmirage.evaluate.suites import suite_pictures
from unmirage.run.directory import RunDirectory


def pictures_of(run: RunDirectory) -> Pictures:
    """Return the pictures in the run's data, where it may hold some, else those of the folder that the run names.

    Raises:
        UserError: the data is not there.
    """
    config = run.config()
    if config.get("suite") is not None:
        return suite_pictures(config)
    data, images = str(config.get("data", "")), config.get("images")
    root = run.path / images if isinstance(images, str) else run.path
    if data.startswith(HUB) or (data and is_parquet(Path(data))):
        return find_source(Path(data)).pictures(root)
    return ImageFolder(root)


def pictures_at_hand(run: RunDirectory) -> Pictures:
    """Return the pictures that can be shown without the network; none where the data is not there.

    Whatever the run's configuration says, and be it broken, this is no error: pages then show a run without pictures.
    """
    try:
        return ImageFolder(run.path) if _is_far(str(run.config().get("data", ""))) else pictures_of(run)
    except (UserError, OSError, yaml.YAMLError, AttributeError, KeyError, TypeError):
        return ImageFolder(run.path)


def _is_far(data: str) -> bool:
    return data.startswith(HUB) and not Path(data.removeprefix(HUB)).is_dir()
