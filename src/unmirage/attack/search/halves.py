"""Split samples into one half for finding words and one for reporting them; images and records do not overlap."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from unmirage.attack.search.config import SearchKind
from unmirage.errors import UserError
from unmirage.records import Sample


@dataclass(frozen=True, slots=True)
class Halves:
    """The samples of one kind, split into two halves.

    Attributes:
        find: in random order, so that the first n are a random subset.
        report: in the order of the data.
        groups: group number by sample id; samples that share an image or a record are in one group.
    """

    find: tuple[Sample, ...]
    report: tuple[Sample, ...]
    groups: dict[str, int]


def halves(samples: Sequence[Sample], kind: SearchKind, seed: int) -> Halves:
    """Split the samples that this kind of attack applies to.

    Raises:
        UserError: there are no such samples, or all are in one group.
    """
    wanted = [sample for sample in samples if sample.refused is (kind == "jailbreak")]
    if not wanted:
        raise UserError(
            f"search: the data has no {'refused' if kind == 'jailbreak' else 'answered'} samples for {kind}; "
            "use other data or another kind"
        )
    groups = groups_of(wanted)
    numbers = sorted(set(groups.values()))
    if len(numbers) < 2:
        raise UserError(
            "search: all samples share one image or record; use data with at least two, one for finding words and "
            "one for reporting"
        )
    rng = random.Random(f"halves-{seed}")
    rng.shuffle(numbers)
    sizes = dict.fromkeys(numbers, 0)
    for sample in wanted:
        sizes[groups[sample.id]] += 1
    to_find: set[int] = set()
    # Largest groups first, each to the smaller half; equal ones in random order.
    counts = {True: 0, False: 0}
    for number in sorted(numbers, key=lambda number: -sizes[number]):
        finding = counts[True] <= counts[False]
        counts[finding] += sizes[number]
        if finding:
            to_find.add(number)
    find = [sample for sample in wanted if groups[sample.id] in to_find]
    rng.shuffle(find)
    return Halves(tuple(find), tuple(sample for sample in wanted if groups[sample.id] not in to_find), groups)


def groups_of(samples: Sequence[Sample]) -> dict[str, int]:
    """Return a group number by sample id; samples linked by shared records or images have the same number."""
    parents = list(range(len(samples)))

    def root(row: int) -> int:
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = parents[row]
        return row

    seen: dict[tuple[str, str], int] = {}
    for row, sample in enumerate(samples):
        keys = [("record", sample.record)] + ([("image", sample.image)] if sample.image is not None else [])
        for key in keys:
            parents[root(row)] = root(seen.setdefault(key, row))
    return {sample.id: root(row) for row, sample in enumerate(samples)}
