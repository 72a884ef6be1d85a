"""Decide which links below an image folder may be followed.

The rule: a link to a folder is followed, and reported, unless that folder contains the image folder itself (as "/", the
home directory and ".." do). A link to a file is followed if the file is in the image folder, in a linked folder on the
path, or among the blobs of the Hugging Face repository that one of these folders is a snapshot of.

Reasons: datasets such as LLaVA's mixture are arranged by linking the folders of COCO or GQA at any depth, and the
Hugging Face cache consists of links to files. A link that arrives with downloaded data typically points at a file, or
upward to reach the disk; a link to a neighboring folder of pictures cannot be told apart from the user's own, so it is
reported. In all cases, only content that is a picture is decoded.
"""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path, PurePosixPath
from threading import RLock

log = logging.getLogger(__name__)

_SHARED_BLOBS = ".huggingface-shared-blobs"  # marks the blobs that repositories of one cache share (huggingface_hub 2)


class Links:
    """The links below one image folder.

    Args:
        root: the image folder as the user named it.
    """

    def __init__(self, root: Path) -> None:
        self._named = root
        self._known: dict[PurePosixPath, tuple[Path, ...]] = {}
        self._lock = RLock()

    def __reduce__(self) -> tuple[type[Links], tuple[Path]]:
        """Return what makes the same object in another process, where a lock cannot go."""
        return type(self), (self._named,)

    @cached_property
    def root(self) -> Path:
        """The image folder without links."""
        return self._named.resolve()

    def allow(self, relative: str, target: Path) -> bool:
        """Return whether the path `relative`, which leads to `target`, may be opened."""
        if target.is_relative_to(self.root):
            return True
        return any(target.is_relative_to(folder) for folder in self._folders(PurePosixPath(relative).parent))

    def _folders(self, parent: PurePosixPath) -> tuple[Path, ...]:
        """Return the folders that files in `parent` may be in."""
        with self._lock:
            if parent not in self._known:
                self._known[parent] = self._found(parent)
            return self._known[parent]

    def _found(self, parent: PurePosixPath) -> tuple[Path, ...]:
        if not parent.parts:
            return self.root, *_blobs(self.root)
        folders = self._folders(parent.parent)
        named, above = self.root / parent, (self.root / parent.parent).resolve()
        # A link counts only where it may be reached: behind a refused one, all is out of reach.
        if not named.is_symlink() or not any(above.is_relative_to(one) for one in folders):
            return folders
        real = named.resolve()
        if any(real.is_relative_to(one) or one.is_relative_to(real) for one in folders):
            return folders
        if real.is_dir():
            log.info("%s is a link; its pictures are read from %s", self._named / parent, real)
        return *folders, real, *_blobs(real)


def _blobs(folder: Path) -> list[Path]:
    """Return the folders with the content of a snapshot in the Hugging Face cache; none if `folder` is not in one.

    The cache has `REPOSITORY/snapshots/REVISION/NAME -> ../../blobs/HASH`, where HASH may be a link to the blobs that
    all repositories of the cache share.
    """
    for place in (folder, *folder.parents):
        if place.parent.name == "snapshots":
            repository = place.parent.parent
            shared = repository.parent / "blobs"
            found = [repository / "blobs", *([shared] if (shared / _SHARED_BLOBS).is_file() else [])]
            return [one for one in found if one.is_dir() and not one.is_symlink()]
    return []
