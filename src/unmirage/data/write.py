"""Samples in, a data file out that `load_samples` reads back. Samples may come one by one; none is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path

from unmirage.errors import UserError
from unmirage.records import Sample
from unmirage.run.files import open_text_atomic

Writer = Callable[[Iterable[Sample], Path], None]
# Escaped to ASCII, so that not even a lone surrogate is lost.
_ON_ONE_LINE = json.JSONEncoder(allow_nan=False)
_INDENTED = json.JSONEncoder(allow_nan=False, indent=1)
_FIELDS = tuple(field.name for field in fields(Sample))


def write_samples(
    samples: Iterable[Sample], path: str | Path, provenance: Mapping[str, Mapping[str, object]] | None = None
) -> None:
    """Write one JSON object a line, with the fields of `Sample`; `group` is left out where there is none.

    Args:
        samples: what to write.
        path: the file.
        provenance: where a sample comes from, by its id; written as the object `provenance`, which readers pass over.
    """
    known = provenance or {}
    with open_text_atomic(Path(path)) as file:
        for sample in samples:
            more = {"provenance": dict(known[sample.id])} if sample.id in known else {}
            file.write(_ON_ONE_LINE.encode(_flat_record(sample) | more) + "\n")


def write_json(samples: Iterable[Sample], path: str | Path) -> None:
    """Write a JSON list of the objects of `write_samples`, one a line."""
    _write_list((_ON_ONE_LINE.encode(_flat_record(sample)) for sample in samples), path)


def write_vlguard(samples: Iterable[Sample], path: str | Path) -> None:
    """Write VLGuard's shape, one record a sample, for tools that read nothing else.

    A refused sample becomes an `instruction`, an answered one a `safe_instruction`. Record ids, texts,
    pictures, labels, categories and groups are kept; the sample's own id and the source of its label are not.
    """
    _write_list((_indented(_vlguard_record(sample)) for sample in samples), path)


def write_llava(samples: Iterable[Sample], path: str | Path) -> None:
    """Write LLaVA's shape, one conversation of one turn a sample.

    Ids, texts, pictures, categories and groups are kept, but for white space around a query that has a picture. The
    shape has no place for a label: it is read from the answer again, which may say otherwise than a field did.
    """
    _write_list((_indented(_llava_record(sample)) for sample in samples), path)


# Formats that have a shape of their own; SPA-VL's and others would lose the label, or need what we do not have.
_SHAPES: dict[str, Writer] = {"vlguard": write_vlguard, "llava": write_llava}


def writer_for(path: Path, format: str) -> Writer:
    """Return what writes samples to `path`, by its suffix.

    Args:
        path: a .jsonl file for JSON lines; a .json file for the shape of the format, or else a flat list.
        format: the format that the samples were read from, a name of `FORMATS`.
    """
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        return write_samples
    if suffix == ".json":
        return _SHAPES.get(format, write_json)
    raise UserError(f"{path}: has no suffix that tells how to write samples; valid: .jsonl, .json")


def _write_list(records: Iterable[str], path: str | Path) -> None:
    with open_text_atomic(Path(path)) as file:
        opening = "[\n "
        for record in records:
            file.write(opening + record)
            opening = ",\n "
        file.write("[]\n" if opening == "[\n " else "\n]\n")


def _indented(record: dict[str, object]) -> str:
    """Return the record as it stands in an indented list; no line break in it belongs to a text."""
    return _INDENTED.encode(record).replace("\n", "\n ")


def _flat_record(sample: Sample) -> dict[str, object]:
    record = {name: getattr(sample, name) for name in _FIELDS}
    if sample.group is None:
        del record["group"]
    return record


def _vlguard_record(sample: Sample) -> dict[str, object]:
    query = "instruction" if sample.refused else "safe_instruction"
    record: dict[str, object] = {
        "id": sample.record,
        "image": sample.image,
        "safe": not sample.refused,
        "instr-resp": [{query: sample.query, "response": sample.answer}],
    }
    optional = {"harmful_category": sample.category, "group": sample.group}
    return record | {name: value for name, value in optional.items() if value}


def _llava_record(sample: Sample) -> dict[str, object]:
    placeholder = "<image>\n" if sample.image else ""
    turns = [
        {"from": "human", "value": placeholder + sample.query},
        {"from": "gpt", "value": sample.answer},
    ]
    optional = {"image": sample.image, "category": sample.category, "group": sample.group}
    return {"id": sample.id, **{name: value for name, value in optional.items() if value}, "conversations": turns}
