"""Write samples to data files that `load_samples` reads. Samples are streamed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path

from unmirage.errors import UserError
from unmirage.records import Pictured, Sample
from unmirage.run.files import open_text_atomic

Writer = Callable[[Iterable[Sample], Path], None]
# ASCII output preserves lone surrogates.
_ON_ONE_LINE = json.JSONEncoder(allow_nan=False)
_INDENTED = json.JSONEncoder(allow_nan=False, indent=1)
_FIELDS = tuple(field.name for field in fields(Sample))
# Omitted where they are empty.
_OPTIONAL = frozenset({"group", "images", "context", "rejected"})


def write_samples(
    samples: Iterable[Sample], path: str | Path, provenance: Mapping[str, Mapping[str, object]] | None = None
) -> None:
    """Write JSONL with the fields of `Sample`; group, images, context and rejected answer are omitted if empty.

    Args:
        samples: the samples.
        path: the file.
        provenance: origin by sample id, written as the field `provenance`, which readers ignore.
    """
    known = provenance or {}
    with open_text_atomic(Path(path)) as file:
        for sample in samples:
            more = {"provenance": dict(known[sample.id])} if sample.id in known else {}
            file.write(_ON_ONE_LINE.encode(_flat_record(sample) | more) + "\n")


def write_json(samples: Iterable[Sample], path: str | Path) -> None:
    """Write a JSON list of the objects of `write_samples`, one per line."""
    _write_list((_ON_ONE_LINE.encode(_flat_record(sample)) for sample in samples), path)


def write_vlguard(samples: Iterable[Sample], path: str | Path) -> None:
    """Write VLGuard's format, one record per sample.

    A refused sample is written as `instruction`, an answered one as `safe_instruction`. Record ids, texts, images,
    labels, categories and groups are kept; sample ids and label sources are lost.
    """
    _write_list((_indented(_vlguard_record(sample)) for sample in samples), path)


def write_llava(samples: Iterable[Sample], path: str | Path) -> None:
    """Write LLaVA's format, one single-turn conversation per sample.

    Ids, texts, images, categories and groups are kept, except for white space around a query with an image. Labels
    are lost: readers infer them from the answer, which may contradict the original label field.
    """
    _write_list((_indented(_llava_record(sample)) for sample in samples), path)


# Formats that can be written. Others, such as SPA-VL, would lose the label or need fields that samples lack.
_SHAPES: dict[str, Writer] = {"vlguard": write_vlguard, "llava": write_llava}


def writer_for(path: Path, format: str) -> Writer:
    """Return the writer for `path` by its suffix.

    Args:
        path: a .jsonl file, or a .json file in `format` if that can be written, else as a flat list.
        format: format that the samples were read from, a name of `FORMATS`.
    """
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        return write_samples
    if suffix == ".json":
        return _SHAPES.get(format, write_json)
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
    return _INDENTED.encode(record).replace("\n", "\n ")


def _flat_record(sample: Sample) -> dict[str, object]:
    record = {name: getattr(sample, name) for name in _FIELDS} | conversation_record(sample)
    return {name: value for name, value in record.items() if value or name not in _OPTIONAL}


def conversation_record(one: Pictured) -> dict[str, object]:
    """Return placed pictures and earlier turns as plain values."""
    turns = [
        {"role": turn.role, "text": turn.text, "images": [placed._asdict() for placed in turn.images]}
        for turn in one.context
    ]
    return {"images": [placed._asdict() for placed in one.images], "context": turns}


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
