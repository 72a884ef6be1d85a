"""Tables of the rates of single shots, and of other attacks and controls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from unmirage.evaluate.details import ModelResults
from unmirage.evaluate.results import Results
from unmirage.records import NOT_MEASURED, Kind, Rate
from unmirage.report.table import Cell, cell, mean_cell

MOST_SHOTS = 12
MOST_FORMS = 20  # rows of a table
_FORM_CAPTIONS = {
    Kind.JAILBREAK.value: "ASR of single shots by wording",
    Kind.OVER_PRUDENCE.value: "RR of single shots by wording",
}
_KINDS = {
    Kind.CONTROL: ("control", "rewritten without the word"),
    Kind.FORM_CONTROL: ("form control", "rewritten in the same form with another word"),
    Kind.NEUTRAL: ("neutral", "rewritten with a neutral word"),
    Kind.INSERTION: ("insertion", "word put before the original query"),
    Kind.REPLACEMENT: ("replacement", "word replaces the first word"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """Header of a column: its name, and an explanation below it."""

    name: str
    small: str = ""


@dataclass(frozen=True, slots=True)
class RateTable:
    """One row per model: its name, and a cell for each column."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


Find = Callable[[ModelResults], Rate | None]
Pick = Callable[[ModelResults], Cell]


def shot_table(results: Results) -> RateTable | None:
    """Return the rates of single shots; None if they were not measured or are not estimable."""
    most = min(MOST_SHOTS, max(len(model.asr.by_shot) for model in results.models.values()))
    if not most:
        return None
    cells: dict[Column, Pick] = {Column("all shots", "pooled"): _cell(lambda model: model.asr.per_shot)}
    if any("asr.per_shot" in model.bootstrap for model in results.models.values()):
        cells[Column("all shots", "bootstrap of clusters")] = _bootstrapped
    cells |= {Column(f"shot {place + 1}"): _cell(_shot(place)) for place in range(most)}
    return _table(results, cells)


def other_attacks(results: Results) -> RateTable | None:
    """Return the rates of the attacks and of other rewrites; None if only the usual control was measured."""
    models = results.models.values()
    asr = _kinds([model.asr.by_kind for model in models])
    rr = _kinds([model.rr.by_kind for model in models])
    if not rr and asr in ([], [Kind.CONTROL]):
        return None
    cells: dict[Column, Pick] = {}
    if asr:
        cells[Column("ASR: attack", "rewritten with the word")] = _cell(lambda model: model.asr.after)
        cells |= {_column("ASR", kind): _cell(_of_kind(kind, lambda model: model.asr.by_kind)) for kind in asr}
    if rr:
        cells[Column("RR: attack", "rewritten with the word")] = _cell(lambda model: model.rr.after)
        cells |= {_column("RR", kind): _cell(_of_kind(kind, lambda model: model.rr.by_kind)) for kind in rr}
    answered = _kinds([model.benign_answered.by_kind for model in models])
    if answered:
        cells[Column("Answered: attack", "rewritten with the word")] = _cell(lambda model: model.benign_answered.after)
        cells |= {
            _column("Answered", kind): _cell(_of_kind(kind, lambda model: model.benign_answered.by_kind))
            for kind in answered
        }
    return _table(results, cells)


def form_tables(results: Results) -> dict[str, RateTable]:
    """Return the rates of each attack by family and by form of the wording, one row each; by caption."""
    found = {}
    for kind, caption in _FORM_CAPTIONS.items():
        families, forms = (_wording_names(results, kind, pick) for pick in (_of_family, _of_form))
        rows = [(f"family: {name}", _of_family, name) for name in families if len(families) > 1]
        rows += [(f"{name} …", _of_form, name) for name in forms[:MOST_FORMS]]
        if forms:
            found[caption] = RateTable(
                tuple(Column(name) for name in results.models),
                tuple(
                    (label, tuple(cell(pick(model, kind).get(name, NOT_MEASURED)) for model in results.models.values()))
                    for label, pick, name in rows
                ),
            )
    return found


def _of_form(model: ModelResults, kind: str) -> Mapping[str, Rate]:
    found = (model.wordings or {}).get(kind)
    return found.by_form if found else {}


def _of_family(model: ModelResults, kind: str) -> Mapping[str, Rate]:
    found = (model.wordings or {}).get(kind)
    return found.by_family if found else {}


def _wording_names(results: Results, kind: str, pick: Callable[[ModelResults, str], Mapping[str, Rate]]) -> list[str]:
    """Return the forms or families of any model, those with the most responses first."""
    counts: Counter[str] = Counter()
    for model in results.models.values():
        counts.update({name: rate.n + rate.invalid for name, rate in pick(model, kind).items()})
    return sorted(counts, key=lambda name: (-counts[name], name))


def _kinds(found: list[Mapping[str, Rate]]) -> list[str]:
    """Return the kinds of query measured for any model: known ones in our order, then others."""
    names = dict.fromkeys(name for one in found for name in one)
    return [kind for kind in _KINDS if kind in names] + [name for name in names if name not in set(_KINDS)]


def _column(rate: str, kind: str) -> Column:
    name, small = _KINDS.get(Kind(kind), (kind, "")) if kind in set(Kind) else (kind, "")
    return Column(f"{rate}: {name}", small)


def _shot(place: int) -> Find:
    return lambda model: model.asr.by_shot[place] if place < len(model.asr.by_shot) else None


def _of_kind(kind: str, rates: Callable[[ModelResults], Mapping[str, Rate]]) -> Find:
    return lambda model: rates(model).get(kind)


def _cell(find: Find) -> Pick:
    return lambda model: cell(find(model) or NOT_MEASURED)


def _bootstrapped(model: ModelResults) -> Cell:
    found = model.bootstrap.get("asr.per_shot")
    return cell(NOT_MEASURED) if found is None else mean_cell(found, "shots")


def _table(results: Results, picks: Mapping[Column, Pick]) -> RateTable:
    rows = tuple((name, tuple(pick(model) for pick in picks.values())) for name, model in results.models.items())
    return RateTable(tuple(picks), rows)
