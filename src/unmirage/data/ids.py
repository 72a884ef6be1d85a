"""Samples in, the same samples with ids that differ out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from unmirage.records import Sample


def with_unique_ids(samples: Iterable[Sample]) -> list[Sample]:
    """Return the samples in order; the second of an id becomes "id#2", and so on. `record` stays as it is."""
    taken: set[str] = set()
    times: dict[str, int] = {}
    unique = []
    for sample in samples:
        name = sample.id
        while name in taken:
            times[sample.id] = times.get(sample.id, 1) + 1
            name = f"{sample.id}#{times[sample.id]}"
        taken.add(name)
        unique.append(sample if name == sample.id else replace(sample, id=name))
    return unique
