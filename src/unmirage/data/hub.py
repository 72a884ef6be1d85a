"""Read datasets from the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from unmirage.data.images import ImageFolder, Pictures
from unmirage.data.parquet import ArrowData, first_line, needs_extra
from unmirage.errors import UserError

HUB = "hf:"
_NAME = re.compile(r"hf:(?P<name>[^:@]+)(?::(?P<config>[^:@]+))?(?:@(?P<split>.+))?")


def hub_data(path: Path) -> HubData:
    """Download a dataset to the cache of `datasets` and return it memory-mapped.

    Args:
        path: "hf:NAME[:CONFIG][@SPLIT]"; NAME is a hub id or a local folder; the default split is "train".
    """
    named = _NAME.fullmatch(str(path))
    if not named:
        raise UserError(f"{path}: is not a dataset name; valid: hf:NAME, hf:NAME:CONFIG, hf:NAME@SPLIT")
    try:
        import datasets
    except ImportError as error:
        raise needs_extra(path, error) from None
    datasets.disable_progress_bars()  # unmirage shows its own
    known = (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError)
    try:
        # `datasets` reads data files only; without `trust_remote_code` it runs no code of the dataset.
        data = datasets.load_dataset(named["name"], named["config"], split=named["split"] or "train")
    except known as error:
        raise UserError(f"{path}: cannot be loaded ({first_line(error)})") from None
    return HubData(path, Path(named["name"]), data, _caches(named["name"]))


def _caches(name: str) -> list[Path]:
    """Return the folders of the cache where the files of a dataset on the hub are."""
    from datasets.config import DOWNLOADED_DATASETS_PATH
    from huggingface_hub.constants import HF_HUB_CACHE

    return [Path(HF_HUB_CACHE) / f"datasets--{name.replace('/', '--')}", Path(DOWNLOADED_DATASETS_PATH)]


class HubData(ArrowData):
    """The records of a `datasets.Dataset`.

    An image folder has absolute paths of its pictures. They are read below the local folder of the dataset, or below
    `caches` for one on the hub.
    """

    def __init__(self, path: Path, folder: Path, data: Any, caches: list[Path]) -> None:
        # The Arrow format leaves images undecoded.
        self._data = data.with_format("arrow")
        root = folder if folder.is_dir() else Path()
        self._bases = [folder] if folder.is_dir() else caches
        super().__init__(path, root, len(data), self._data[:0].schema)

    def batches(self) -> Iterator[Any]:
        """Yield the rows in batches from memory-mapped files."""
        yield from self._data.iter(self.batch_size)

    def files(self, root: Path) -> Pictures:
        """Return the image files of the dataset, and those below `root`."""
        return _Located(ImageFolder(root), [ImageFolder(base) for base in self._bases])

    def cell(self, index: int, column: str) -> Any:
        """Return the value of one cell."""
        return self._data[index].column(column)[0].as_py()


class _Located(Pictures):
    """Image files by a path relative to a folder, or by an absolute path below one of several folders.

    Args:
        relative: the images by relative path.
        bases: the images by absolute path.
    """

    def __init__(self, relative: ImageFolder, bases: list[ImageFolder]) -> None:
        super().__init__()
        self._relative = relative
        self._bases = bases

    def exists(self, relative: str) -> bool:
        """Return whether a file of this name exists, readable or not; never raise."""
        folder, name = self._place(relative)
        return folder.exists(name)

    def _file(self, relative: str) -> BinaryIO:
        folder, name = self._place(relative)
        return folder._file(name)

    def _place(self, path: str) -> tuple[ImageFolder, str]:
        for base in self._bases if path.startswith("/") else ():
            root = str(base.root.absolute())
            if path.startswith(f"{root}/"):
                return base, path[len(root) + 1 :]
        return self._relative, path
