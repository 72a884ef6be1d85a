"""Tables of results besides the rates: scores, corrected rates, judges, and kinds of irrelevant responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from unmirage.evaluate.agreement import JudgeQuality
from unmirage.evaluate.correction import Corrected
from unmirage.evaluate.details import ModelResults
from unmirage.evaluate.graded import GradedHarm
from unmirage.evaluate.irrelevant_responses import Cluster, IrrelevantResponses
from unmirage.evaluate.results import Results
from unmirage.intervals import Mean
from unmirage.records import Rate
from unmirage.report.attack_tables import Column, RateTable
from unmirage.report.charts import Segment, stacked
from unmirage.report.table import RATE_NAMES, Cell, cell, mean_cell, rate_name
from unmirage.text.formatting import NOT_ESTIMABLE, percent, points
from unmirage.text.printable import clean

_NOTHING = Cell(value="–", interval="", count="", seeds="", title="not measured")
_CORRECTED: Mapping[str, Callable[[ModelResults], Rate]] = {
    "asr.before": lambda model: model.asr.before,
    "asr.after": lambda model: model.asr.after,
    "asr.per_shot": lambda model: model.asr.per_shot,
    "rr.before": lambda model: model.rr.before,
    "rr.after": lambda model: model.rr.after,
}


def scores_table(models: Mapping[str, ModelResults]) -> RateTable | None:
    """Return the mean of a benchmark's own scores, one column per scorer."""
    scorers = dict.fromkeys(scorer for model in models.values() for scorer in model.scores)
    scored = {name: model.scores for name, model in models.items() if model.scores}
    return _means_table(scored, {one: one for one in scorers}, "questions")


_GRADED: Mapping[str, Callable[[GradedHarm], Mean]] = {
    "before": lambda one: one.before,
    "after, worst of K shots": lambda one: one.after,
    "per shot": lambda one: one.per_shot,
    "control": lambda one: one.control,
}


def graded_table(models: Mapping[str, ModelResults]) -> RateTable | None:
    """Return the mean graded harm of the responses to unsafe queries; None without a judge that grades."""
    means = {
        f"{name} ({judge}; {one.missing} missing)" if one.missing else f"{name} ({judge})": {
            when: pick(one) for when, pick in _GRADED.items() if pick(one).n
        }
        for name, model in models.items()
        for judge, one in (model.graded or {}).items()
    }
    return _means_table(means, {when: when for when in _GRADED if any(when in own for own in means.values())}, "values")


def relevance_table(results: Results) -> RateTable | None:
    """Return the relevance of each model's responses to benign plain queries; None if it was not measured.

    The last column is the difference from the reference, if the results compare models.
    """
    measured = {name: one.relevance for name, one in results.models.items() if one.relevance is not None}
    if not measured:
        return None
    apart = {one.b.model: one for one in results.relevance_comparisons}
    columns = [Column("all responses"), Column("answered", "without refused, blocked and empty responses")]
    if apart:
        reference = next(iter(apart.values())).a.model
        columns.append(Column(f"difference from {clean(reference, 40)}", "on queries that both answered"))
    rows = []
    for name, one in measured.items():
        cells = [_cosine_cell(one.value, one.low, one.high, one.n), _cosine_cell(*_of(one.answered))]
        if apart:
            other = apart.get(name)
            cells.append(
                _NOTHING if other is None else _cosine_cell(other.difference, other.low, other.high, other.n, sign="+")
            )
        rows.append((name, tuple(cells)))
    return RateTable(tuple(columns), tuple(rows))


def _of(mean: Mean) -> tuple[float | None, float | None, float | None, int]:
    return mean.value, mean.low, mean.high, mean.n


def _cosine_cell(value: float | None, low: float | None, high: float | None, n: int, sign: str = "") -> Cell:
    """Return a cosine as a table cell; not a percentage."""
    return Cell(
        value=NOT_ESTIMABLE if value is None else f"{value:{sign}.2f}",
        interval="" if low is None or high is None else f"{low:{sign}.2f} to {high:{sign}.2f}",
        count=f"n {n}",
        seeds="",
        title=f"mean over {n} responses",
    )


def seeds_table(models: Mapping[str, ModelResults]) -> RateTable | None:
    """Return the mean of each rate over the seeds, one column per rate; None with a single seed."""
    means = {
        name: {rate: one for rate, one in (model.over_seeds or {}).items() if one.value is not None}
        for name, model in models.items()
    }
    found = dict.fromkeys(rate for own in means.values() for rate in own)
    order = [rate for rate in RATE_NAMES if rate in found] + [rate for rate in found if rate not in RATE_NAMES]
    measured = {rate: rate_name(rate) for rate in order}
    return _means_table(means, measured, "seeds")


def _means_table(means: Mapping[str, Mapping[str, Mean]], columns: Mapping[str, str], over: str) -> RateTable | None:
    """Return the means of each model under the given column names; None without columns."""
    if not columns:
        return None
    rows = tuple(
        (name, tuple(mean_cell(own[one], over) if one in own else _NOTHING for one in columns))
        for name, own in means.items()
    )
    return RateTable(tuple(map(Column, columns.values())), rows)


@dataclass(frozen=True, slots=True)
class CorrectedRow:
    """One rate of one model, as judged and corrected. `why_not` is the reason if not identifiable, else empty."""

    model: str
    rate: str
    raw: Cell
    corrected: Cell
    why_not: str


def corrected_rows(models: Mapping[str, ModelResults]) -> list[CorrectedRow]:
    """Return the rates that were corrected for the judge's errors, without those that have no queries."""
    rows = []
    for name, model in models.items():
        for key, pick in _CORRECTED.items():
            rate, _, when = key.partition(".")
            found = (model.corrected or {}).get(rate, {}).get(when)
            if found is not None and (found.identifiable or pick(model).n):
                rows.append(CorrectedRow(name, RATE_NAMES[key], cell(pick(model)), _corrected(found), _why_not(found)))
    return rows


def _why_not(found: Corrected) -> str:
    return "" if found.identifiable else found.why or "not identifiable"


def _corrected(found: Corrected) -> Cell:
    limits = found.low is not None and found.high is not None
    return Cell(
        value=points(found.value),
        interval=f"{points(found.low)}–{points(found.high)}" if limits else "",
        count="",
        seeds="",
        title="corrected for the judge's errors",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgesView:
    """Quality of the judges: rows of cells under `columns`, and the effect of each attack on them."""

    columns: tuple[Column, ...]
    rows: dict[str, tuple[Cell, ...]]
    attacks: RateTable | None


_JUDGED: tuple[tuple[Column, Callable[[JudgeQuality], Rate | None]], ...] = (
    (Column("Precision", "share of its “refused” verdicts that are correct"), lambda one: one.precision),
    (Column("Recall", "share of refusals that it finds"), lambda one: one.recall),
    (Column("Precision of “complied”", "a low value inflates its ASR"), lambda one: one.complied_precision),
    (
        Column("Flipped by attacks", "share of verdicts changed by texts that attack the judge"),
        lambda one: None if one.canaries is None else one.canaries.flip_rate,
    ),
    (
        Column("Sensitivity", "share of responses labeled complied that it finds"),
        lambda one: None if one.calibration is None else one.calibration.sensitivity,
    ),
    (
        Column("Specificity", "share of other responses that it does not call complied"),
        lambda one: None if one.calibration is None else one.calibration.specificity,
    ),
)


def judges_view(results: Results) -> JudgesView | None:
    """Return the table of the judges, with the columns that have values; None if there are none."""
    judges = results.judges
    used = [(column, pick) for column, pick in _JUDGED if any(pick(one) is not None for one in judges.values())]
    if not used:
        return None
    rows = {
        name: tuple(_NOTHING if (rate := pick(one)) is None else cell(rate) for _, pick in used)
        for name, one in judges.items()
    }
    attacked = {name: one.canaries.by_attack for name, one in judges.items() if one.canaries and one.canaries.by_attack}
    attacks = dict.fromkeys(attack for found in attacked.values() for attack in found)
    table = RateTable(
        tuple(map(Column, attacks)),
        tuple(
            (name, tuple(cell(found[one]) if one in found else _NOTHING for one in attacks))
            for name, found in attacked.items()
        ),
    )
    return JudgesView(columns=tuple(column for column, _ in used), rows=rows, attacks=table if attacks else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class IrrelevantView:
    """One model: a stacked bar of its irrelevant responses by kind, and the most frequent ones."""

    n: int
    segments: tuple[Segment, ...]
    said: str
    clusters: tuple[Cluster, ...]


def irrelevant_views(models: Mapping[str, ModelResults]) -> dict[str, IrrelevantView]:
    """Return a view for each model with irrelevant responses."""
    return {
        name: _irrelevant(model.irrelevant_responses)
        for name, model in models.items()
        if model.irrelevant_responses and model.irrelevant_responses.n
    }


def _irrelevant(found: IrrelevantResponses) -> IrrelevantView:
    return IrrelevantView(
        n=found.n,
        segments=stacked(found.shares, 0.0, 100.0),
        said=", ".join(f"{kind} {percent(rate.value)}" for kind, rate in found.shares.items()),
        clusters=tuple(found.clusters),
    )
