"""Write samples to data files that `load_samples` reads. Samples are streamed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

from unmirage.data import llava, vlguard
from unmirage.data.rows import Row
from unmirage.data.written import FlatRecords, Written, as_row, plain, with_others
from unmirage.errors import UserError
from unmirage.records import Sample
from unmirage.run.files import open_text_atomic

Rows = Iterable[Sample | Written]
# Returns what the file could not keep, for the user; None if nothing.
Writer = Callable[[Rows, Path], str | None]
# ASCII output preserves lone surrogates.
_ON_ONE_LINE = json.JSONEncoder(allow_nan=False)
_INDENTED = json.JSONEncoder(allow_nan=False, indent=1)


def write_samples(
    samples: Rows, path: str | Path, provenance: Mapping[str, Mapping[str, object]] | None = None
) -> None:
    """Write JSONL with the fields of `Sample`, then the other fields of its record.

    Group, images, context and rejected answer are omitted if empty. See `FlatRecords` for fields of equal names.

    Args:
        samples: the samples.
        path: the file.
        provenance: origin by sample id, written as the field `provenance`, which readers ignore.
    """
    known, flat = provenance or {}, FlatRecords()
    with open_text_atomic(Path(path)) as file:
        for row in map(as_row, samples):
            if row.sample.id in known:
                row = row._replace(added={**row.added, "provenance": dict(known[row.sample.id])})
            file.write(_encoded(_ON_ONE_LINE, flat.record(row)) + "\n")


def write_json(samples: Rows, path: str | Path) -> None:
    """Write a JSON list of the objects of `write_samples`, one per line."""
    flat = FlatRecords()
    _write_list((_encoded(_ON_ONE_LINE, flat.record(row)) for row in samples), path)


def write_vlguard(samples: Rows, path: str | Path) -> None:
    """Write VLGuard's format, one record per sample.

    A refused sample is written as `instruction`, or `unsafe_instruction` if its id says so, an answered one as
    `safe_instruction`. Record ids, texts, pictures, labels, categories, groups and other fields are kept. Ids that do
    not follow from the record, label sources, earlier turns and rejected answers are lost.
    """
    _write_list((_indented(_vlguard_record(row)) for row in map(as_row, samples)), path)


def write_llava(samples: Rows, path: str | Path) -> None:
    """Write LLaVA's format, one single-turn conversation per sample.

    Ids, texts, pictures, system prompts, labels, categories, groups and other fields are kept, except for white space
    around a query with an image. Earlier turns and rejected answers are lost.
    """
    _write_list((_indented(_llava_record(row)) for row in map(as_row, samples)), path)


class _UnfitError(Exception):
    """A shape cannot hold a sample."""


def _write_in_shape(name: str, rows: Rows, path: Path) -> str | None:
    """Write rows in a shape if it holds each of them, else as a flat list.

    Args:
        rows: iterated again for the flat list.

    Returns:
        The reason for a flat list; None if the shape holds all rows.
    """
    try:
        _write_list((_indented(record) for record in _held(name, rows, path)), path)
    except _UnfitError as unfit:
        write_json(rows, path)
        return f"written as a flat list, because {unfit}"
    return None


def _held(name: str, rows: Rows, path: Path) -> Iterator[dict[str, object]]:
    """Yield the record of each row, after reading it back.

    Raises:
        _UnfitError: the reader does not return the sample. Its label source is not compared: it is that of the shape.
    """
    shape, made = _SHAPES[name]
    for number, row in enumerate(map(as_row, rows), 1):
        record = made(row)
        try:
            found = shape.samples_of(Row(record, number, str(path), "record", number))
        except UserError as error:
            raise _UnfitError(f"{name} cannot hold sample {row.sample.id[:80]!r} ({error})") from None
        if [replace(one, label_source=row.sample.label_source) for one in found] != [row.sample]:
            raise _UnfitError(f"{name} cannot hold {_lost(row.sample, found)} of sample {row.sample.id[:80]!r}")
        yield record


def _lost(sample: Sample, found: list[Sample]) -> str:
    if len(found) != 1:
        return "the earlier turns"
    names = [one.name for one in fields(Sample) if getattr(found[0], one.name) != getattr(sample, one.name)]
    return f"field '{next(name for name in names if name != 'label_source')}'"


def writer_for(path: Path, format: str) -> Writer:
    """Return the writer for `path` by its suffix.

    Args:
        path: a .jsonl file, or a .json file in `format` if that can be written and holds all samples, else as a flat
            list.
        format: format that the samples were read from, a name of `FORMATS`.
    """
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        return write_samples
    if suffix == ".json":
        return partial(_write_in_shape, format) if format in _SHAPES else write_json
    raise UserError(f"{path}: unknown suffix; valid: .jsonl, .json")


def _write_list(records: Iterable[str], path: str | Path) -> None:
    with open_text_atomic(Path(path)) as file:
        opening = "[\n "
        for record in records:
            file.write(opening + record)
            opening = ",\n "
        file.write("[]\n" if opening == "[\n " else "\n]\n")


def _indented(record: dict[str, object]) -> str:
    """Return the record indented for a list; JSON escapes the line breaks of texts."""
    return _encoded(_INDENTED, record).replace("\n", "\n ")


def _encoded(encoder: json.JSONEncoder, record: dict[str, object]) -> str:
    try:
        return encoder.encode(record)
    except (TypeError, ValueError):  # other fields may have any value of a Parquet file
        return encoder.encode(plain(record))


def _vlguard_record(row: Written) -> dict[str, object]:
    sample = row.sample
    harmful_picture = bool(sample.refused) and sample.id != f"{sample.record}/unsafe"
    query = ("instruction" if harmful_picture else "unsafe_instruction") if sample.refused else "safe_instruction"
    record: dict[str, object] = {
        "id": sample.record,
        **(_pictures(sample) or {"image": None}),
        "safe": not harmful_picture,
        "instr-resp": [{query: _with_placeholders(sample), "response": sample.answer}],
    }
    # Records with both have the category of samples in the first.
    category = "harmful_subcategory" if "harmful_category" in row.others else "harmful_category"
    return _completed(record, {category: sample.category, "group": sample.group}, row)


def _llava_record(row: Written) -> dict[str, object]:
    sample = row.sample
    first = "<image>\n" if sample.image and not sample.images else ""
    turns = [
        *({"from": "system", "value": turn.text} for turn in sample.context[:1] if turn.role == "system"),
        {"from": "human", "value": first + _with_placeholders(sample)},
        {"from": "gpt", "value": sample.answer},
    ]
    record: dict[str, object] = {"id": sample.id, **_pictures(sample), "conversations": turns}
    if sample.label_source in ("field", "stated"):
        record["refused"] = sample.refused
    return _completed(record, {"category": sample.category, "group": sample.group}, row)


def _completed(record: dict[str, object], optional: Mapping[str, object], row: Written) -> dict[str, object]:
    """Return a record with the filled ones of some fields, and the other fields of its row."""
    filled = {name: value for name, value in optional.items() if value}
    return with_others(record | filled | dict(row.added), row.others)


def _pictures(sample: Sample) -> dict[str, object]:
    """Return the field of a record's pictures; empty without pictures."""
    paths = [one.image for one in sample.placed]
    return {"image": paths[0]} if len(paths) == 1 else {"images": paths} if paths else {}


def _with_placeholders(sample: Sample) -> str:
    """Return the query with a placeholder for each picture that has a place in it."""
    text, end = "", 0
    for one in sample.images:
        text += sample.query[end : one.at] + ("<image>" if one.at else "<image>\n")
        end = one.at
    return text + sample.query[end:]


# Formats that can be written. Others, such as SPA-VL, would lose the label or need fields that samples lack.
_SHAPES = {"vlguard": (vlguard, _vlguard_record), "llava": (llava, _llava_record)}
