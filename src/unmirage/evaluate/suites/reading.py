"""Read the questions of a benchmark from a file, a folder or a dataset on the hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from unmirage.data.hub import HUB
from unmirage.data.images import Pictures
from unmirage.data.load import find_source
from unmirage.data.parquet import is_parquet
from unmirage.data.rows import Row
from unmirage.data.sample_file import Skipped, nothing_left
from unmirage.data.source import Source, strict
from unmirage.errors import UserError
from unmirage.evaluate.suites.base import Find, Found, Item
from unmirage.records import Sample

ItemsOf = Callable[[Row], Sequence[Item]]  # empty if the row has no question of this benchmark
Check = Callable[[Path, Sequence[Item]], None]
_TEXT = (".json", ".jsonl", ".csv")
_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


def source_of(data: str, names: Sequence[str] = ()) -> Source:
    """Return the source of the records.

    Args:
        data: "hf:NAME[:CONFIG][@SPLIT]", a file, a folder of Parquet files, or a folder with a JSON, JSONL or CSV file.
        names: possible paths of the file relative to the folder, or patterns of such paths. Otherwise it must be the
            only such file.

    Raises:
        UserError: the path does not exist, or the folder does not contain exactly one data file.
    """
    path = Path(data)
    if not data.startswith(HUB):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; valid: a data file, its folder, or hf:NAME")
        if path.is_dir():
            path = _file_in(path, names)
    return find_source(path)


def _file_in(folder: Path, names: Sequence[str]) -> Path:
    """Return the file of a benchmark in a folder, or the folder if it has Parquet files without a known name."""
    named = next((path for name in names for path in sorted(folder.glob(name)) if path.is_file()), None)
    if named is not None or is_parquet(folder):
        return named or folder
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _TEXT and path.is_file())
    if len(found) != 1:
        valid = f"{' or '.join(names)} in it, " if names else ""
        raise UserError(f"{folder}: has {len(found)} data files; valid: {valid}Parquet files, or the path of one file")
    return found[0]


def items_in(source: Source, items_of: ItemsOf, lacking: str = "") -> list[Item]:
    """Return all questions of a source.

    Args:
        source: source of the records.
        items_of: returns the questions of a record; raises `UserError`, naming the field, for a malformed record.
        lacking: description of valid data, for the error message if no record contains a question.

    Raises:
        UserError: a record is malformed, or there are no records or questions.
    """
    items: list[Item] = []
    empty = True
    for row in source.rows(strict):
        empty = False
        items += items_of(row)
    if empty:
        raise nothing_left(source.path, Skipped())
    if not items:
        raise UserError(f"{source.path}: no question of this benchmark found; valid: {lacking}")
    return items


def from_one_file(
    items_of: ItemsOf,
    *,
    names: Sequence[str] = (),
    folders: Mapping[str, str] = MappingProxyType({}),
    lacking: str = "",
    several: Callable[[Path], Source | None] = lambda _: None,
    check: Check = lambda _, __: None,
    any_ending: bool = False,
) -> Find:
    """Return a function that finds the files of a benchmark in one file or dataset.

    Args:
        items_of: returns the questions of a record.
        names: possible paths of the file in a folder.
        folders: marker folder -> image root, both relative to the file's folder. The first existing marker applies.
        lacking: as in `items_in`.
        several: returns the source of a benchmark whose original release has several files, given a folder or its
            first file; None if the path is not such a release.
        check: raises `UserError` if the file is not that of the benchmark, given its path and questions.
        any_ending: the records name images without an ending, or with another one than the image files have.
    """

    def find(data: str, images: Path | None) -> Found:
        source = (None if data.startswith(HUB) else several(Path(data))) or source_of(data, names)
        told = (start for sign, start in folders.items() if (source.root / sign).is_dir())
        root = images or source.root / next(told, "")
        pictures = source.pictures(root)

        def read() -> list[Item]:
            items = items_in(source, items_of, lacking)
            check(source.path, items)
            return [_with_ending(item, pictures) for item in items] if any_ending else items

        return Found(read=read, pictures=pictures, image_root=root)

    return find


def _with_ending(item: Item, pictures: Pictures) -> Item:
    """Return the item with the name of its image file; unchanged if there is no such file."""
    name = item.sample.image
    if name is None or pictures.exists(name):
        return item
    stem = name.removesuffix(PurePosixPath(name).suffix)
    found = next((f"{stem}{ending}" for ending in _ENDINGS if pictures.exists(f"{stem}{ending}")), name)
    return replace(item, sample=replace(item.sample, image=found))


def judged(
    samples_of: Callable[[Row], Sequence[Sample]],
    *,
    refused: bool | None = None,
    only: Callable[[Sample], bool] | None = None,
) -> ItemsOf:
    """Return a function that turns the samples of a known format into questions with judged responses.

    Args:
        samples_of: returns the samples of a record.
        refused: label for all samples, if the whole benchmark has one; None keeps the label of each sample.
        only: filter for the samples of the benchmark; None keeps all.
    """

    def items_of(row: Row) -> list[Item]:
        kept = [sample for sample in samples_of(row) if only is None or only(sample)]
        if refused is not None:
            kept = [replace(sample, refused=refused, label_source="field") for sample in kept]
        return [Item(sample=sample) for sample in kept]

    return items_of
