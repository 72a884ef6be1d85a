"""A file, a folder or a data set on the hub in, the questions of a benchmark out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from unmirage.data.hub import HUB
from unmirage.data.load import find_source
from unmirage.data.parquet import is_parquet
from unmirage.data.rows import Row
from unmirage.data.sample_file import Skipped, nothing_left
from unmirage.data.source import Source, strict
from unmirage.errors import UserError
from unmirage.evaluate.suites.base import Find, Found, Item
from unmirage.records import Sample

ItemsOf = Callable[[Row], Sequence[Item]]  # none where the row holds no question of this benchmark
_TEXT = (".json", ".jsonl", ".csv")


def source_of(data: str, names: Sequence[str] = ()) -> Source:
    """Return what holds the records.

    Args:
        data: "hf:NAME[:CONFIG][@SPLIT]", a file, a folder of Parquet files, or one with a file of text in it.
        names: what the file in a folder may be called, below the folder; else it has to be the only one there.
    """
    path = Path(data)
    if not data.startswith(HUB):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; valid: a data file, its folder, or hf:NAME")
        if path.is_dir() and not is_parquet(path):
            path = _file_in(path, names)
    return find_source(path)


def _file_in(folder: Path, names: Sequence[str]) -> Path:
    named = [folder / name for name in names if (folder / name).is_file()]
    found = named or sorted(path for path in folder.iterdir() if path.suffix.lower() in _TEXT and path.is_file())
    if not named and len(found) != 1:
        valid = f"{' or '.join(names)} in it, " if names else ""
        raise UserError(f"{folder}: has {len(found)} data files; valid: {valid}Parquet files, or the name of one file")
    return found[0]


def items_in(source: Source, items_of: ItemsOf, lacking: str = "") -> list[Item]:
    """Return all questions of a source.

    Args:
        source: holds the records.
        items_of: makes the questions of one; a `UserError` that names its field where it is of another shape.
        lacking: what is valid, said where all records are fine and none holds a question.
    """
    items: list[Item] = []
    empty = True
    for row in source.rows(strict):
        empty = False
        items += items_of(row)
    if empty:
        raise nothing_left(source.path, Skipped())
    if not items:
        raise UserError(f"{source.path}: holds no question of this benchmark; valid: {lacking}")
    return items


def from_one_file(
    items_of: ItemsOf,
    *,
    names: Sequence[str] = (),
    folders: Mapping[str, str] = MappingProxyType({}),
    lacking: str = "",
    several: Callable[[Path], Source | None] = lambda _: None,
) -> Find:
    """Return what reads a benchmark that lies in one file or data set.

    Args:
        items_of: makes the questions of a record.
        names: of the file, where the user names a folder.
        folders: where picture paths start, by a folder that tells so if it is there; both from the file's folder.
        lacking: as in `items_in`.
        several: reads the files of its authors, several that belong together, in a folder or by the name of the first;
            None where there are none.
    """

    def find(data: str, images: Path | None) -> Found:
        source = (None if data.startswith(HUB) else several(Path(data))) or source_of(data, names)
        told = (start for sign, start in folders.items() if (source.root / sign).is_dir())
        root = images or source.root / next(told, "")
        return Found(read=lambda: items_in(source, items_of, lacking), pictures=source.pictures(root), image_root=root)

    return find


def judged(
    samples_of: Callable[[Row], Sequence[Sample]],
    *,
    refused: bool | None = None,
    only: Callable[[Sample], bool] | None = None,
) -> ItemsOf:
    """Return what makes questions of a known format's samples, whose answers are judged.

    Args:
        samples_of: of the format.
        refused: the label of all of them, where the benchmark says so as a whole; None leaves each its own.
        only: which samples belong to it.
    """

    def items_of(row: Row) -> list[Item]:
        kept = [sample for sample in samples_of(row) if only is None or only(sample)]
        if refused is not None:
            kept = [replace(sample, refused=refused, label_source="field") for sample in kept]
        return [Item(sample=sample) for sample in kept]

    return items_of
