"""A data file of any known format in, a `Dataset` out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from unmirage.data import llava, spa_vl, tables, vlguard
from unmirage.data.containers import READERS, read_rows
from unmirage.data.ids import with_unique_ids
from unmirage.data.rows import Row, shown
from unmirage.errors import UserError, unknown
from unmirage.records import Dataset, Sample

_LOOKED_AT = 20


class Format(Protocol):
    """What the module of a format offers: does a record look like mine, and what samples do rows hold."""

    def matches(self, record: Mapping[str, object], /) -> bool:
        """Return whether a record has the shape of this format."""

    def read(self, rows: Sequence[Row], /) -> Iterator[Sample]:
        """Yield the samples, in order; ids may repeat."""


FORMATS: dict[str, Format] = {
    "vlguard": vlguard,
    "llava": llava,
    "spa-vl": spa_vl,
    "json": tables,
    "jsonl": tables,
    "csv": tables,
}


def load_samples(
    path: str | Path,
    format: str = "auto",
    *,
    columns: Mapping[str, str] | None = None,
    images: str | Path | None = None,
) -> Dataset:
    """Return the samples of a data file. A mistake in it is a `UserError` that says where and what is valid.

    Args:
        path: a JSON, JSONL or CSV file.
        format: a name of `FORMATS`, or "auto" to tell from the file.
        columns: for flat tables, which column holds what: {"query": "prompt", "answer": "output"}.
        images: folder that the picture paths are relative to; by default the file's. It need not exist.
    """
    path = Path(path)
    if format not in ("auto", *FORMATS):
        raise unknown("format", format, ("auto", *FORMATS))
    container, rows = read_rows(path, format if format in READERS else None)
    if columns:
        name = _table_name(format, container)
        samples = tables.read(rows, columns)
    else:
        name = _detect(path, container, rows) if format == "auto" else format
        samples = FORMATS[name].read(rows)
    return Dataset(
        samples=tuple(with_unique_ids(samples)),
        source=path,
        format=name,
        image_root=Path(images) if images is not None else path.parent,
    )


def _table_name(format: str, container: str) -> str:
    if format == "auto":
        return container
    if format not in READERS:
        raise UserError(f"columns cannot be named for format '{format}'; valid: {', '.join(READERS)}")
    return format


def _detect(path: Path, container: str, rows: Sequence[Row]) -> str:
    """Return the first format that one of the first records fits; a table is named after its container."""
    first = [row.fields for row in islice(rows, _LOOKED_AT)]
    for name, known in FORMATS.items():
        if any(known.matches(record) for record in first):
            return container if name in READERS else name
    raise UserError(
        f"{path}: no known format has the fields {shown(sorted(first[0]), 200)}; valid formats: "
        f"{', '.join(FORMATS)}; for a flat table, name the query's column: --columns query=NAME"
    )
