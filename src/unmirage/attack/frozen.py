"""Read attack queries from a data file, and convert attack queries to samples that can be written to one.

The official sets have VLGuard's format: K consecutive records have the id of the sample that they ask about.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from unmirage.attack.one_word import as_query
from unmirage.attack.plan import ATTACKS
from unmirage.errors import UserError
from unmirage.records import Dataset, Kind, Query, Sample
from unmirage.text.openers import opener


def frozen_queries(frozen: Dataset, samples: Sequence[Sample], kind: Kind, known: Sequence[Sample]) -> list[Query]:
    """Return the queries of a frozen set, in file order; shots are numbered for each sample.

    Args:
        frozen: the set. Each record belongs to the sample with the same record id and label.
        samples: the samples to ask about; records of other known samples are skipped.
        kind: kind of the queries.
        known: all samples of the dataset that `samples` were drawn from.

    Raises:
        UserError: a record matches no known sample or several, or its label does not fit the kind.
    """
    by_record: dict[tuple[str, bool], list[Sample]] = defaultdict(list)
    for sample in known:
        by_record[sample.record, sample.refused].append(sample)
    chosen = {sample.id for sample in samples}
    shots: Counter[str] = Counter()
    queries = []
    for one in frozen:
        _check_label(frozen, one, kind)
        owners = by_record.get((one.record, one.refused), [])
        if len(owners) != 1:
            label = "refused" if one.refused else "answered"
            found = f"{len(owners)} {label} samples" if owners else f"no {label} sample"
            raise UserError(
                f"{frozen.source}: record '{one.record[:80]}': the data has {found} with this id; "
                "it must have exactly one"
            )
        (owner,) = owners
        if owner.id in chosen:
            queries.append(as_query(owner, kind, shots[owner.id], one.query, opener(one.query) or None))
            shots[owner.id] += 1
    return queries


def frozen_samples(queries: Iterable[Query], samples: Iterable[Sample]) -> list[Sample]:
    """Return attack queries as samples: the shots of a sample are consecutive and keep its record id."""
    by_id = {sample.id: sample for sample in samples}
    shots: dict[str, list[Query]] = defaultdict(list)
    for query in queries:
        shots[query.sample_id].append(query)
    return [
        replace(by_id[own], query=query.text)
        for own, asked in shots.items()
        for query in sorted(asked, key=lambda query: query.shot)
    ]


def _check_label(frozen: Dataset, one: Sample, kind: Kind) -> None:
    if one.refused not in ATTACKS[kind]:
        label, needed = ("refused", "answered") if one.refused else ("answered", "refused")
        raise UserError(f"{frozen.source}: record '{one.record[:80]}' is {label}; {kind} requires {needed} samples")
