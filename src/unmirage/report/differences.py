"""Tables of paired differences: each model before and after the attack, and each model against a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from unmirage.evaluate.compare import Comparison, Side
from unmirage.evaluate.compare_runs import NotPaired, across, stores_of
from unmirage.evaluate.details import CategoryRates, ModelResults
from unmirage.evaluate.outcomes import BeforeAfter
from unmirage.report.gather import Gathered
from unmirage.report.table import RATE_NAMES, Cell, cell, rate_name
from unmirage.text.formatting import points, signed_points, small_number

_SIGNIFICANT = 0.05
_ATTACKED = {"asr": "ASR", "rr": "RR", "benign_answered": "Benign answered"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference in percentage points. `clear`: significant after correction. All empty if not computed."""

    value: str = ""
    interval: str = ""
    p: str = ""
    clear: bool = False
    title: str = ""
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class DifferenceTable:
    """One row per model, one cell per rate."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Difference, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Both tables (None if empty), the reference model, the number of tests, and notes on unpaired rates."""

    attacked: DifferenceTable | None
    against: DifferenceTable | None
    reference: str
    tests: int
    notes: tuple[str, ...]


def differences(gathered: Gathered, reference: str | None = None) -> Differences:
    """Return the differences of all models of all runs.

    Those of one run are read from its results if they are there; all others are computed from the stores.
    """
    saved = gathered.results.comparisons
    if len(gathered.sources) == 1 and saved and reference in (None, _reference(saved)):
        return _view(saved, [], [], _reference(saved) or next(iter(gathered.results.models)))
    chosen = reference or next(iter(gathered.results.models))
    found = across(gathered.sources, chosen)
    return _view(found.comparisons, found.not_paired, [*found.notes, *_fewer_seeds(gathered)], chosen)


def _fewer_seeds(gathered: Gathered) -> Iterator[str]:
    """Yield a note if rates are pooled over seeds without stores, so that fewer samples are paired."""
    for source in gathered.sources:
        seeds, stores = gathered.runs[source.name].seeds, stores_of(source.run)
        if stores and len(stores) < len(seeds):
            yield (
                f"{source.name}: its rates pool {len(seeds)} seeds, but only {len(stores)} can be paired; "
                "the others have no store."
            )


def _reference(comparisons: Sequence[Comparison]) -> str | None:
    return next((one.a.model for one in comparisons if one.a.model != one.b.model), None)


def _view(
    comparisons: Sequence[Comparison], not_paired: Sequence[NotPaired], notes: Sequence[str], reference: str
) -> Differences:
    attacked: dict[str, dict[str, Difference]] = {}
    against: dict[str, dict[str, Difference]] = {}
    for one in comparisons:
        if one.a.model == one.b.model:
            attacked.setdefault(one.b.model, {})[one.b.rate.partition(".")[0]] = _difference(one)
        elif one.a.model == reference and one.a.rate == one.b.rate:
            against.setdefault(one.b.model, {})[one.b.rate] = _difference(one)
    for missing in not_paired:
        against.setdefault(missing.b.model, {})[missing.b.rate] = Difference(why_not=missing.why)
    return Differences(
        attacked=_table(attacked, _ATTACKED),
        against=_table(against, RATE_NAMES),
        reference=reference,
        tests=sum(one.p_value is not None for one in comparisons),
        notes=tuple(notes),
    )


def _table(found: Mapping[str, Mapping[str, Difference]], names: Mapping[str, str]) -> DifferenceTable | None:
    columns = [rate for rate in names if any(rate in cells for cells in found.values())]
    if not columns:
        return None
    nothing = Difference(title="not measured in both")
    rows = tuple((model, tuple(cells.get(rate, nothing) for rate in columns)) for model, cells in found.items())
    return DifferenceTable(tuple(names[rate] for rate in columns), rows)


def _difference(one: Comparison) -> Difference:
    if one.difference is None:
        return Difference(why_not="no sample in common")
    corrected = one.p_value if one.p_holm is None else one.p_holm
    return Difference(
        value=signed_points(one.difference),
        interval="" if one.low is None or one.high is None else f"{points(one.low)} to {points(one.high)}",
        p="" if corrected is None else f"p {_equals(corrected)}",
        clear=corrected is not None and corrected < _SIGNIFICANT,
        title=(
            f"{one.n} samples; only {_side(one.a)}: {one.only_a}, only {_side(one.b)}: {one.only_b}; "
            f"uncorrected p {'n/a' if one.p_value is None else _equals(one.p_value)}{_clusters(one)}{_left_out(one)}"
        ),
    )


def _left_out(one: Comparison) -> str:
    """Return what any verdicts on the samples that lack one could change."""
    if one.least is None or one.most is None or one.p_most is None:
        return ""
    bounds = f"{signed_points(one.least)} to {signed_points(one.most)}, p at most {small_number(one.p_most)}"
    return f"; {one.left_out} left out without a verdict; for any verdicts on them: {bounds}"


def _clusters(one: Comparison) -> str:
    if not one.clusters or one.clusters == one.n:
        return ""
    effect = "" if one.design_effect is None else f", design effect {one.design_effect:.1f}"
    return f"; {one.clusters} clusters{effect}"


def _side(side: Side) -> str:
    return f"{side.model[:60]} {rate_name(side.rate)}"


def _equals(p: float) -> str:
    said = small_number(p)
    return said if said.startswith("<") else f"= {said}"


TINTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """One field: the rate after the attack, its tint from 0 to 10, and the rate before."""

    cell: Cell
    tint: int | None
    before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """One rate. `compared`: whether there are rates both before and after the attack."""

    rate: str
    meaning: str
    compared: bool
    models: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Heat, ...]], ...]


def heat_maps(models: Mapping[str, ModelResults]) -> list[HeatMap]:
    """Return a map of ASR and one of RR, each only if a category has that rate."""
    own = {name: model for name, model in models.items() if model.categories}
    maps = [
        _map("ASR", "complied with unsafe queries", own, lambda one: one.asr),
        _map("RR", "refused benign queries", own, lambda one: one.rr),
    ]
    return [one for one in maps if one.rows]


def _map(
    rate: str, meaning: str, models: Mapping[str, ModelResults], pick: Callable[[CategoryRates], BeforeAfter]
) -> HeatMap:
    names = dict.fromkeys(name for model in models.values() for name in model.categories)
    pairs = {
        name: [pick(model.categories[name]) if name in model.categories else None for model in models.values()]
        for name in names
    }
    present = {name: own for name, own in pairs.items() if any(p and (p.before.n or p.after.n) for p in own)}
    compared = any(p and p.after.n for own in present.values() for p in own)
    rows = tuple((name, tuple(_heat(p, compared=compared) for p in own)) for name, own in present.items())
    return HeatMap(rate=rate, meaning=meaning, compared=compared, models=tuple(models), rows=rows)


def _heat(pair: BeforeAfter | None, *, compared: bool) -> Heat:
    if pair is None:
        nothing = Cell(value="–", interval="", count="", seeds="", title="not measured")
        return Heat(cell=nothing, tint=None, before="")
    rate = pair.after if compared else pair.before
    return Heat(
        cell=cell(rate),
        tint=None if rate.value is None else round(TINTS * rate.value),
        before=points(pair.before.value) if compared else "",
    )
