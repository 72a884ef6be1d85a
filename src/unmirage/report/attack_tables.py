"""Saved results in, two small tables out: the rates of single shots, and what the attacks are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from unmirage.records import Kind
from unmirage.report.documents import ModelRead, RateRead, ResultsRead
from unmirage.report.table import Cell, cell

MOST_SHOTS = 12
_KINDS = {
    Kind.CONTROL: ("control", "rewritten without the word"),
    Kind.NEUTRAL: ("neutral", "rewritten with a word tied to nothing"),
    Kind.INSERTION: ("insertion", "word put before the query as it is"),
    Kind.REPLACEMENT: ("replacement", "word in place of the first word"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """What stands over a column: its name, and below it what it means."""

    name: str
    small: str = ""


@dataclass(frozen=True, slots=True)
class RateTable:
    """One row a model: its name, and a cell for each column."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


Pick = Callable[[ModelRead], RateRead | None]


def shot_table(results: ResultsRead) -> RateTable | None:
    """Return the rates of single shots; None where they were not measured or are not estimable."""
    most = min(MOST_SHOTS, max(len(model.asr.by_shot) for model in results.models.values()))
    if not most:
        return None
    picks: dict[Column, Pick] = {Column("all shots", "pooled"): lambda model: model.asr.per_shot}
    picks |= {Column(f"shot {place + 1}"): _shot(place) for place in range(most)}
    return _table(results, picks)


def other_attacks(results: ResultsRead) -> RateTable | None:
    """Return ASR and RR of the attacks beside those of other rewrites; None where only the usual control was asked."""
    models = results.models.values()
    asr = _kinds([model.asr.by_kind for model in models])
    rr = _kinds([model.rr.by_kind for model in models])
    if not rr and asr in ([], [Kind.CONTROL]):
        return None
    picks: dict[Column, Pick] = {}
    if asr:
        picks[Column("ASR: attack", "rewritten with the word")] = lambda model: model.asr.after
        picks |= {_column("ASR", kind): _of_kind(kind, lambda model: model.asr.by_kind) for kind in asr}
    if rr:
        picks[Column("RR: attack", "rewritten with the word")] = lambda model: model.rr.after
        picks |= {_column("RR", kind): _of_kind(kind, lambda model: model.rr.by_kind) for kind in rr}
    return _table(results, picks)


def _kinds(found: list[dict[str, RateRead]]) -> list[str]:
    """Return the kinds that any model was asked: those we know in our order, then others."""
    names = dict.fromkeys(name for one in found for name in one)
    return [kind for kind in _KINDS if kind in names] + [name for name in names if name not in set(_KINDS)]


def _column(rate: str, kind: str) -> Column:
    name, small = _KINDS.get(Kind(kind), (kind, "")) if kind in set(Kind) else (kind, "")
    return Column(f"{rate}: {name}", small)


def _shot(place: int) -> Pick:
    return lambda model: model.asr.by_shot[place] if place < len(model.asr.by_shot) else None


def _of_kind(kind: str, rates: Callable[[ModelRead], Mapping[str, RateRead]]) -> Pick:
    return lambda model: rates(model).get(kind)


def _table(results: ResultsRead, picks: Mapping[Column, Pick]) -> RateTable:
    nothing = RateRead(value=None, low=None, high=None, k=0, n=0)
    rows = tuple(
        (name, tuple(cell(pick(model) or nothing) for pick in picks.values())) for name, model in results.models.items()
    )
    return RateTable(tuple(picks), rows)
