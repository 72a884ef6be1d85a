"""Which responses and verdicts a run still lacks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from unmirage.evaluate.outcomes import BASELINES
from unmirage.records import Kind, Query, Verdict
from unmirage.run.store import Store

SHOTS = frozenset({Kind.JAILBREAK, Kind.OVER_PRUDENCE, *BASELINES})

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """Numbers of missing verdicts, by reason.

    Attributes:
        unanswered: queries that have not been sent yet.
        failed: queries that could not be sent, or that got no response.
        reason: most frequent reason of failure; empty if nothing failed.
        invalid: responses without a valid verdict.
        why_invalid: most frequent reason for an invalid verdict; empty if there is none.
    """

    unanswered: int = 0
    failed: int = 0
    reason: str = ""
    invalid: int = 0
    why_invalid: str = ""


def find_gaps(store: Store, judge: str, model: str, *, stopped: bool = False) -> Gaps:
    """Return the gaps of one model.

    With `stopped` (as in `model_rates`), shots after a success by this judge do not count as missing.
    """
    failures = {one.query_id: one.reason for one in store.failures(model)}
    missing = [query.id for query in unasked(store, judge, model, stopped=stopped)]
    unclear = [one.why for one in store.judgements(model, judge) if one.verdict is Verdict.INVALID]
    failed = [failures[key] for key in missing if key in failures]
    return Gaps(
        unanswered=len(missing) - len(failed),
        failed=len(failed),
        reason=_most_frequent(failed),
        invalid=len(unclear),
        why_invalid=_most_frequent(unclear),
    )


def _most_frequent(reasons: Sequence[str]) -> str:
    return Counter(reasons).most_common(1)[0][0] if reasons else ""


def unasked(store: Store, judge: str, model: str, *, stopped: bool) -> list[Query]:
    """Return the unanswered queries that the rates need."""
    if not stopped:
        return store.unanswered(model)
    return still_needed(store.queries(), {one.query_id: one.verdict for one in store.judgements(model, judge)})
