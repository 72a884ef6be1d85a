"""The name of a data set on the Hugging Face hub in, its records as rows out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unmirage.data.parquet import BATCH, ArrowData, first_line, needs_extra
from unmirage.errors import UserError

HUB = "hf:"
_NAME = re.compile(r"hf:(?P<name>[^:@]+)(?::(?P<config>[^:@]+))?(?:@(?P<split>.+))?")


def hub_data(path: Path) -> HubData:
    """Return the data set, downloaded to the cache of `datasets` and mapped into memory from there.

    Args:
        path: "hf:NAME[:CONFIG][@SPLIT]"; NAME is an id on the hub or a local folder, the split "train" by default.
    """
    named = _NAME.fullmatch(str(path))
    if not named:
        raise UserError(f"{path}: names no data set; valid: hf:NAME, hf:NAME:CONFIG, hf:NAME@SPLIT")
    try:
        import datasets
    except ImportError as error:
        raise needs_extra(path, error) from None
    datasets.disable_progress_bars()  # ours is shown instead
    known = (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError)
    try:
        # No code of the data set runs: `datasets` reads data files only, and is not told to trust any.
        data = datasets.load_dataset(named["name"], named["config"], split=named["split"] or "train")
    except known as error:
        raise UserError(f"{path}: cannot be loaded ({first_line(error)})") from None
    return HubData(path, Path(named["name"]), data)


class HubData(ArrowData):
    """The records of a `datasets.Dataset`."""

    def __init__(self, path: Path, folder: Path, data: Any) -> None:
        # As Arrow tables, pictures stay undecoded.
        self._data = data.with_format("arrow")
        root = folder if folder.is_dir() else Path()
        super().__init__(path, root, len(data), self._data[:0].schema)

    def batches(self) -> Iterator[Any]:
        """Yield the rows by batches; they lie in memory-mapped files."""
        yield from self._data.iter(BATCH)

    def cell(self, index: int, column: str) -> Any:
        """Return the value of one cell."""
        return self._data[index].column(column)[0].as_py()
