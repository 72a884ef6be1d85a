"""Load samples from data files of any registered format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from unmirage.data import (
    beavertails,
    figstep,
    holisafe,
    kto,
    llava,
    messages,
    mm_safetybench,
    mossbench,
    preference,
    saferlhf,
    spa_vl,
    tables,
    vlguard,
    wildjailbreak,
    xstest,
)
from unmirage.data.containers import READERS, text_file
from unmirage.data.hub import HUB, hub_data
from unmirage.data.labels import LABEL_OPTIONS, Label
from unmirage.data.parquet import is_parquet, parquet_files
from unmirage.data.rows import Row, shown, with_unique_ids
from unmirage.data.sample_file import SampleFile, Skipped, nothing_left
from unmirage.data.source import Source, strict
from unmirage.errors import UserError, unknown
from unmirage.records import Dataset, Sample
from unmirage.registry import InvalidError, Registry, has
from unmirage.run.paths import no_such
from unmirage.run.progress import StepProgress

_LOOKED_AT = 20
_COLUMNS_FROM = 1_000


class Format(Protocol):
    """The interface of a data format; a module or an object of the plugin group `unmirage.formats`."""

    def matches(self, record: Mapping[str, object], /) -> bool:
        """Return whether a record has the fields of this format."""

    def samples_of(self, row: Row, /) -> Sequence[Sample]:
        """Return the samples of a row in order, at least one; ids may repeat."""


_BUILTIN: dict[str, Format] = {
    "vlguard": vlguard,
    "spa-vl": spa_vl,
    "preference": preference,
    "kto": kto,
    "beavertails": beavertails,
    "saferlhf": saferlhf,
    "llava": llava,
    "messages": messages,
    "holisafe": holisafe,
    "mossbench": mossbench,
    "figstep": figstep,
    "xstest": xstest,
    "wildjailbreak": wildjailbreak,
    "mm-safetybench": mm_safetybench,
    "json": tables,
    "jsonl": tables,
    "csv": tables,
    "parquet": tables,
}


def _samples(found: Any, _row: Row) -> Sequence[Sample]:
    if not isinstance(found, list | tuple) or not found or not all(isinstance(one, Sample) for one in found):
        raise InvalidError(f"it returned {found!r}; valid: a list of at least one Sample")
    return found


FORMATS: Registry[Format] = Registry(
    "format",
    "unmirage.formats",
    _BUILTIN,
    has("an object with matches(record) and samples_of(row)", matches=Callable, samples_of=Callable),
    results={"matches": lambda found, _: bool(found), "samples_of": _samples},
)
_CONVERSATIONS = ("llava", "messages")  # no record of them has the columns of a table
_TABLES = tuple(name for name, known in _BUILTIN.items() if known is tables)


def load_samples(
    path: str | Path,
    format: str = "auto",
    *,
    columns: Mapping[str, str] | None = None,
    images: str | Path | None = None,
    skip_bad: bool = False,
    label: Label | None = None,
    unlabeled: bool = False,
) -> Dataset:
    """Return all samples of a data file, with unique ids. The arguments are those of `open_samples`."""
    file = open_samples(
        path, format, columns=columns, images=images, skip_bad=skip_bad, label=label, unlabeled=unlabeled
    )
    return Dataset(
        samples=tuple(with_unique_ids(file)), source=file.source, format=file.format, image_root=file.image_root
    )


def open_samples(
    path: str | Path,
    format: str = "auto",
    *,
    columns: Mapping[str, str] | None = None,
    images: str | Path | None = None,
    skip_bad: bool = False,
    progress: StepProgress | None = None,
    label: Label | None = None,
    unlabeled: bool = False,
    check_labels: bool = False,
) -> SampleFile:
    """Return a data file as a re-iterable stream of samples.

    Args:
        path: a JSON, JSONL, CSV or Parquet file, a folder of Parquet files, or "hf:NAME[:CONFIG][@SPLIT]" for
            a dataset of the Hugging Face hub (or a local folder in that layout).
        format: a name of `FORMATS`, or "auto" to detect it from the first records.
        columns: for flat tables, the file's column for each of ours: {"query": "prompt", "answer": "output"}.
        images: folder that image paths are relative to, by default the file's.
        skip_bad: skip unreadable records instead of stopping at the first.
        progress: called with (done, total): bytes of a text file, else rows.
        label: take the labels from the "field" or from the "answer", or state that all samples should be "refused" or
            "answered"; None for the label of the format.
        unlabeled: also yield samples without a label; they are counted and left out otherwise.
        check_labels: stop if the label field contradicts most answers, unless `label` is given. Right for safety data;
            data to forget have such answers.

    Raises:
        UserError: a record among the first 1,000 is unreadable; later ones raise it during iteration.
    """
    if format != "auto" and format not in FORMATS:
        raise unknown("format", format, ("auto", *FORMATS))
    if label is not None and label not in LABEL_OPTIONS:
        raise unknown("label", label, LABEL_OPTIONS)
    if not str(path):  # which `Path` would take for the current folder
        raise UserError("the name of the data is empty; valid: a file, a folder of Parquet files, or hf:NAME")
    if images is not None and not Path(images).is_dir():
        raise no_such("folder", images, "name the folder of the image files", option="--images")
    data = find_source(Path(path), format)
    first = _first_rows(data, skip_bad)
    root = Path(images) if images is not None else data.root
    name, samples_of = _reader(data, format, first, columns)
    return SampleFile(
        data, name, root, data.pictures(root), samples_of, skip_bad, progress, label, unlabeled, check_labels
    )


def find_source(path: Path, format: str = "auto") -> Source:
    """Return the reader of a file, a folder of Parquet files, or a dataset on the hub."""
    if str(path).startswith(HUB):
        return hub_data(path)
    if format == "parquet" or is_parquet(path):
        return parquet_files(path)
    return text_file(path, format if format in READERS else None)


def _first_rows(data: Source, skip_bad: bool) -> list[Row]:
    skipped = Skipped()
    with closing(data.rows(skipped.add if skip_bad else strict)) as rows:
        first = list(islice(rows, _COLUMNS_FROM))
    if not first:
        raise nothing_left(data.path, skipped)
    return first


def _reader(
    data: Source, format: str, first: Sequence[Row], columns: Mapping[str, str] | None
) -> tuple[str, Callable[[Row], Sequence[Sample]]]:
    """Return the name of the format and its `samples_of` function."""
    if columns and format not in ("auto", *_TABLES):
        raise UserError(f"format '{format}' does not accept columns; valid formats: {', '.join(_TABLES)}")
    name = format
    if format == "auto":
        name = data.container if columns else _detect(data, first)
    if name in _TABLES:
        table = tables.table_reader(first, columns)
        return name, table if columns else _naming_the_shape(name, table)
    return name, _naming_the_shape(name, FORMATS.guarded(name, FORMATS.find(name)).samples_of)


def _naming_the_shape(name: str, read: Callable[[Row], Sequence[Sample]]) -> Callable[[Row], Sequence[Sample]]:
    """Return a reader whose errors name the format of a record that has another shape than the file's first ones."""

    def samples_of(row: Row) -> Sequence[Sample]:
        try:
            return read(row)
        except UserError:
            other = _named_shape(row.fields, flat=name in _CONVERSATIONS)
            if FORMATS.find(name).matches(row.fields) or other is None:
                raise
            raise row.error(
                f"has the shape of {other}, but the first records have that of '{name}'; write one file for each shape"
            ) from None

    return samples_of


def _named_shape(record: Mapping[str, object], *, flat: bool) -> str | None:
    """Return the name of the format that a record has, or "a flat table" if `flat`; None if it has none."""
    found = shape_of(record)
    if found is not None:
        return f"format '{found}'"
    return "a flat table" if flat and tables.matches(record) else None


def shape_of(record: Mapping[str, object]) -> str | None:
    """Return the first format that matches a record; None for a flat table, and if none does."""
    found = next((name for name, matches in FORMATS.each(lambda known: known.matches(record)) if matches), None)
    return None if found in _TABLES else found


def _detect(data: Source, first: Sequence[Row]) -> str:
    """Return the first format that matches one of the first records; a flat table has the name of its container."""
    records = [row.fields for row in first[:_LOOKED_AT]]
    for name, matches in FORMATS.each(lambda known: any(known.matches(record) for record in records)):
        if matches:
            return data.container if name in _TABLES else name
    raise UserError(
        f"{data.path}: no known format has the fields {shown(sorted(records[0]), 200)}; valid formats: "
        f"{', '.join(FORMATS)}; for a flat table, name the query column: --columns query=NAME"
    )
