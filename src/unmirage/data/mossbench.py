"""Read MOSSBench (Li et al. 2024, arXiv 2406.17806): harmless queries that models tend to refuse, and harmful twins.

A record is `{pid, question, image, metadata: {over: "type 1", ...}, ...}`; the file's keys are the pids. The repository
also has the harmless records as a table with the columns `image_path` and `meta_data_over`. Harmless records describe
the image in their metadata. Those of the contrast set, in the folder `data_contrast`, have the field `over` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath

from unmirage.data.dialogue import single_sample
from unmirage.data.rows import Row, shown
from unmirage.records import Sample

_TYPE = "over"
_COLUMN = "meta_data_"
_HARMLESS = ("human", "child", "syn", "ocr", "harm")
_NAMES = {"Exaggerated Risk": "type 1", "Negated Harm": "type 2", "Counterintuitive Interpretation": "type 3"}
_CONTRAST = "contrast"


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has MOSSBench's fields."""
    metadata = record.get("metadata")
    return "question" in record and ((isinstance(metadata, dict) and _TYPE in metadata) or _COLUMN + _TYPE in record)


def samples_of(row: Row) -> list[Sample]:
    """Return the sample of a record; the label follows from its metadata and the names of its file and folders.

    A record with the metadata of the contrast set has no label if the file is not named like that set.
    """
    sample, harmless = _read(row)
    if not harmless and not any(_CONTRAST in name.casefold() for name in PurePath(row.source).parts[-3:]):
        return [replace(sample, refused=None, label_source="none")]
    return [sample]


def labeled(row: Row, *, harmful: bool) -> list[Sample]:
    """Return the sample of a record of the set with this label, under any file name.

    Raises:
        UserError: the metadata is that of the other set.
    """
    sample, harmless = _read(row)
    if harmful is harmless:
        found, suite = ("harmless", "mossbench") if harmless else ("in the harmful contrast set", "mossbench-contrast")
        raise row.error(f"this question is {found}; use suite '{suite}'")
    return [sample]


def _read(row: Row) -> tuple[Sample, bool]:
    """Return the sample of a record, and whether its metadata is that of the harmless set."""
    if f"{_COLUMN}{_TYPE}" in row.fields:
        row = _nested(row)
    metadata = row.fields.get("metadata")
    if not isinstance(metadata, dict):
        raise row.error(f"field 'metadata' must be an object, not {shown(metadata)}")
    category = row._replace(fields=metadata, part=f"{row.part}, metadata").category(_TYPE)
    harmless = any(name in metadata for name in _HARMLESS)
    record = row.optional_name("pid")
    return single_sample(row, row.text("question"), refused=not harmless, record=record, category=category), harmless


def _nested(row: Row) -> Row:
    """Return a row of the table as a record."""
    own = {name.removeprefix(_COLUMN): value for name, value in row.fields.items() if name.startswith(_COLUMN)}
    kind = own.get(_TYPE)
    own[_TYPE] = _NAMES.get(kind, kind) if isinstance(kind, str) else kind
    return row._replace(fields={**row.fields, "image": row.fields.get("image_path"), "metadata": own})
