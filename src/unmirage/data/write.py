"""Samples in, a data file out that `load_samples` reads back without loss."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from unmirage.records import Sample
from unmirage.run.files import write_text_atomic


def write_samples(samples: Iterable[Sample], path: str | Path) -> None:
    """Write one JSON object a line: id, record, query, answer, image, refused, label_source, category."""
    # Escaped to ASCII, so that not even a lone surrogate is lost.
    lines = (json.dumps(asdict(sample), allow_nan=False) + "\n" for sample in samples)
    write_text_atomic(Path(path), "".join(lines))


def write_vlguard(samples: Iterable[Sample], path: str | Path) -> None:
    """Write VLGuard's shape, one record a sample, for tools that read nothing else.

    A refused sample becomes an `instruction`, an answered one a `safe_instruction`. Record ids, texts,
    pictures, labels and categories are kept; the sample's own id and the source of its label are not.
    """
    records = [_vlguard_record(sample) for sample in samples]
    write_text_atomic(Path(path), json.dumps(records, allow_nan=False, indent=1) + "\n")


def _vlguard_record(sample: Sample) -> dict[str, object]:
    query = "instruction" if sample.refused else "safe_instruction"
    record: dict[str, object] = {
        "id": sample.record,
        "image": sample.image,
        "safe": not sample.refused,
        "instr-resp": [{query: sample.query, "response": sample.answer}],
    }
    return record | ({"harmful_category": sample.category} if sample.category else {})
