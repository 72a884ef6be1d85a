"""Read datasets from the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    return HubData(path, Path(named["name"]), data)


class HubData(ArrowData):
    """The records of a `datasets.Dataset`."""

    def __init__(self, path: Path, folder: Path, data: Any) -> None:
        # The Arrow format leaves images undecoded.
        self._data = data.with_format("arrow")
        root = folder if folder.is_dir() else Path()
        super().__init__(path, root, len(data), self._data[:0].schema)

    def batches(self) -> Iterator[Any]:
        """Yield the rows in batches from memory-mapped files."""
        yield from self._data.iter(self.batch_size)

    def cell(self, index: int, column: str) -> Any:
        """Return the value of one cell."""
        return self._data[index].column(column)[0].as_py()
