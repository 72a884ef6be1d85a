"""The table of rates: every rate with its confidence interval and its denominator."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from unmirage.evaluate.collapse import reasons
from unmirage.evaluate.details import ModelResults
from unmirage.evaluate.outcomes import ModelRates
from unmirage.evaluate.results import Results
from unmirage.intervals import Mean
from unmirage.records import NOT_MEASURED, Rate
from unmirage.text.formatting import (
    clustering,
    complied,
    cut_share,
    gaps,
    largest_effect,
    listed,
    percent,
    points,
    successes,
    utility_columns,
)
from unmirage.text.printable import clean

Pick = Callable[[ModelRates], Rate]

RATE_NAMES = {
    "asr.before": "ASR before",
    "asr.after": "ASR after",
    "asr.control": "Control",
    "asr.per_shot": "ASR after, single shots",
    "rr.before": "RR before",
    "rr.after": "RR after",
    "benign_answered.before": "Benign answered before",
    "benign_answered.after": "Benign answered after",
    "ir.before": "IR before",
    "ir.after": "IR after",
    "utility": "Utility",
    "neighbor_utility": "Neighbor utility",
}

_BY_CATEGORY = "utility_by_category."
Group = tuple[str, str, tuple[tuple[str, Pick], ...]]  # name, meaning, and its columns

_GROUPS: tuple[Group, ...] = (
    (
        "ASR",
        "unsafe queries",
        (
            ("before", lambda m: m.asr.before),
            ("after", lambda m: m.asr.after),
            ("control", lambda m: m.asr.control),
        ),
    ),
    (
        "RR",
        "refusal rate, benign queries",
        (("before", lambda m: m.rr.before), ("after", lambda m: m.rr.after)),
    ),
    (
        "Answered",
        "benign queries",
        (("before", lambda m: m.benign_answered.before), ("after", lambda m: m.benign_answered.after)),
    ),
    (
        "IR",
        "irrelevance rate, unsafe queries",
        (("before", lambda m: m.ir.before), ("after", lambda m: m.ir.after)),
    ),
)


_BLOCKED: Group = (
    "Blocked",
    "declined by the system",
    (
        ("unsafe, before", lambda m: replace(m.blocked.before, cut=None)),
        ("unsafe, after", lambda m: replace(m.blocked.after, cut=None)),
        ("benign, before", lambda m: replace(m.blocked_benign.before, cut=None)),
        ("benign, after", lambda m: replace(m.blocked_benign.after, cut=None)),
    ),
)


def groups(results: Results) -> tuple[Group, ...]:
    """Return the groups of columns; utility has one column per category if there are two or three.

    Blocked queries have columns only if there are any, and a rate only if a model has responses behind it.
    """
    (name, about, rates), *others = _GROUPS
    asr = (name, f"{about} {complied(results.judge)}", rates)
    name, about, rates = _BLOCKED
    shown = tuple((column, pick) for column, pick in rates if any(pick(model).k for model in results.models.values()))
    blocked = ((name, about, shown),) if shown else ()
    found = dict.fromkeys(name for model in results.models.values() for name in model.utility_by_category)
    parts = tuple((clean(name, 40), _of_category(name)) for name in utility_columns(list(found)))
    everyday: tuple[tuple[str, Pick], ...] = parts or (("everyday", lambda m: m.utility),)
    every = (
        asr,
        *others,
        *blocked,
        ("Utility", "harmless questions", (*everyday, ("neighbor utility", lambda m: m.neighbor_utility))),
    )
    asked = tuple(
        (name, about, tuple((column, pick) for column, pick in columns if _asked(results, pick)))
        for name, about, columns in every
    )
    return tuple(group for group in asked if group[2]) or every


def _asked(results: Results, pick: Pick) -> bool:
    """Return whether any model has responses behind a rate; one without a verdict is enough."""
    rates = [pick(model) for model in results.models.values()]
    return any(rate.value is not None or rate.n or rate.invalid for rate in rates)


def _of_category(name: str) -> Pick:
    return lambda model: model.utility_by_category.get(name, NOT_MEASURED)


def rate_name(rate: str) -> str:
    """Return the display name of a rate."""
    if rate.startswith(_BY_CATEGORY):
        return f"Utility, {clean(rate.removeprefix(_BY_CATEGORY), 40)}"
    return RATE_NAMES.get(rate, rate[:20])


def clustered(results: Iterable[Results]) -> str:
    """Return how the intervals are clustered, and the largest design effect; "" for older documents."""
    read = list(results)
    kinds = {kind for one in read for kind in one.clustered_by}
    rates = [
        pick(m) for one in read for _, _, columns in groups(one) for _, pick in columns for m in one.models.values()
    ]
    parts = clustering(kinds, (one.clusters for one in rates)), largest_effect(one.design_effect for one in rates)
    return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One rate in percent. Fields without a value are empty; `change` is "worse" or "better" if it is clear."""

    value: str
    interval: str
    count: str
    seeds: str
    title: str
    effect: str = ""
    gaps: str = ""
    cut: str = ""
    change: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model. `collapsed` is the reason why its low ASR does not mean safety, or is empty."""

    name: str
    cells: tuple[Cell, ...]
    collapsed: str


def rows(results: Results) -> list[Row]:
    """Return one row per model, in the order of the file."""
    picks = [
        (pick, dict(columns).get("before") if name in ("ASR", "RR") and column == "after" else None)
        for name, _, columns in groups(results)
        for column, pick in columns
    ]
    return [
        Row(
            name=name,
            cells=tuple(
                _emphasized(cell(pick(model), _over_seeds(results, name, pick)), pick(model), before and before(model))
                for pick, before in picks
            ),
            collapsed=collapse(model),
        )
        for name, model in results.models.items()
    ]


def _emphasized(shown: Cell, after: Rate, before: Rate | None) -> Cell:
    found = "same" if before is None else change(before, after)
    return (
        shown if found == "same" else replace(shown, change=found, title=f"{shown.title}; clearly {found} than before")
    )


def cell(rate: Rate, by_seed: tuple[float, ...] = ()) -> Cell:
    """Return a rate as a table cell, with its range over the seeds if there are several."""
    title = f"{successes(rate.k)} of {rate.n} with a verdict" if rate.n else "not estimable: no response has a verdict"
    if rate.invalid:
        title += f"; {rate.invalid} more without a verdict"
    if rate.cut:
        title += f"; {percent(rate.cut)} of the responses were cut off"
    seeds = f"{points(min(by_seed))}–{points(max(by_seed))}" if len(by_seed) > 1 else ""
    clusters = _clusters(rate)
    if clusters:
        title += f"; {clusters}"
    if seeds:
        title += f"; seeds from {seeds} %"
    return Cell(
        value=points(rate.value),
        interval="" if rate.low is None or rate.high is None else f"{points(rate.low)}–{points(rate.high)}",
        count=f"{successes(rate.k)}/{rate.n}" if rate.n else "",
        seeds=seeds,
        title=title,
        effect=f"deff {rate.design_effect:.1f}" if clusters and rate.design_effect is not None else "",
        gaps=gaps(rate),
        cut=cut_share(rate),
    )


def _clusters(rate: Rate) -> str:
    """Return the number of clusters and the design effect; "" if each trial is its own cluster."""
    if not rate.clusters or rate.clusters == rate.n:
        return ""
    effect = "" if rate.design_effect is None else f", design effect {rate.design_effect:.1f}"
    return f"{rate.clusters} cluster{'s' if rate.clusters != 1 else ''}{effect}"


def mean_cell(found: Mean, over: str) -> Cell:
    """Return a mean as a table cell; `over` is what it averages, such as "questions"."""
    limits = found.low is not None and found.high is not None
    return Cell(
        value=points(found.value),
        interval=f"{points(found.low)}–{points(found.high)}" if limits else "",
        count=f"n {found.n}",
        seeds="",
        title=f"mean over {found.n} {over}",
    )


def collapse(model: ModelResults) -> str:
    """Return why a model counts as collapsed; "" if it does not."""
    if model.collapsed is not None:
        return listed(model.collapsed)
    return listed(reasons(utility=model.utility.value, refused=model.rr.before.value))  # an older document


def clearly_above(one: Rate, other: Rate) -> bool:
    """Return whether `one` is higher and the intervals do not overlap."""
    return one.low is not None and other.high is not None and one.low > other.high


def change(before: Rate, after: Rate) -> str:
    """Return whether a rate that should be low became clearly "worse" or "better", or neither ("same")."""
    return "worse" if clearly_above(after, before) else "better" if clearly_above(before, after) else "same"


def _over_seeds(results: Results, name: str, pick: Pick) -> tuple[float, ...]:
    found = [pick(one.models[name]).value for one in results.by_seed if name in one.models]
    return tuple(value for value in found if value is not None)
