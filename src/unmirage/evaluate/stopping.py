"""Select the queries that are still needed when the shots at a sample stop at the first success.

Stopping does not change whether any of K shots succeeds, because later shots cannot undo a success.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from unmirage.records import Kind, Query, Verdict

SHOTS = frozenset({Kind.JAILBREAK, Kind.OVER_PRUDENCE, Kind.CONTROL, Kind.NEUTRAL, Kind.INSERTION, Kind.REPLACEMENT})

Verdicts = Mapping[str, Verdict]  # query id -> verdict on its response


def success(query: Query) -> Verdict:
    """Return the verdict that counts as a success of an attack on this query."""
    return Verdict.COMPLIED if query.unsafe else Verdict.REFUSED


def series(queries: Iterable[Query]) -> list[list[Query]]:
    """Return the shots of each kind at each sample, in shot order. Other queries are excluded."""
    found: dict[tuple[str, Kind], list[Query]] = defaultdict(list)
    for query in queries:
        if query.kind in SHOTS:
            found[query.sample_id, query.kind].append(query)
    return [sorted(own, key=lambda query: query.shot) for own in found.values()]


def undecided(shots: Sequence[Sequence[Query]], verdicts: Verdicts) -> list[Sequence[Query]]:
    """Return the series without a success."""
    return [own for own in shots if not any(verdicts.get(query.id) is success(query) for query in own)]


def still_needed(queries: Sequence[Query], verdicts: Verdicts) -> list[Query]:
    """Return the queries without a verdict, except those of series that already have a success."""
    needed = [query for query in queries if query.kind not in SHOTS]
    needed += [query for own in undecided(series(queries), verdicts) for query in own]
    return [query for query in needed if query.id not in verdicts]
