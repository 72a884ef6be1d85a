"""Saved results in, the rows of the paper's table out: every rate with its interval and its denominator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from unmirage.evaluate.collapse import reasons
from unmirage.report.documents import MeanRead, ModelRead, RateRead, ResultsRead
from unmirage.report.formatting import listed, points, successes

Pick = Callable[[ModelRead], RateRead]

RATE_NAMES = {
    "asr.before": "ASR before",
    "asr.after": "ASR after",
    "asr.per_shot": "ASR after, single shots",
    "rr.before": "RR before",
    "rr.after": "RR after",
    "ir.before": "IR before",
    "ir.after": "IR after",
    "utility": "Utility",
    "near": "Near",
}

GROUPS: tuple[tuple[str, str, tuple[tuple[str, Pick], ...]], ...] = (
    (
        "ASR",
        "attack success rate, unsafe queries",
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
        "IR",
        "irrelevance rate, unsafe queries",
        (("before", lambda m: m.ir.before), ("after", lambda m: m.ir.after)),
    ),
    ("Utility", "harmless questions", (("everyday", lambda m: m.utility), ("near", lambda m: m.near))),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One rate in per cent. Empty strings where there is nothing to say."""

    value: str
    interval: str
    count: str
    invalid: int
    seeds: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model. `collapsed` says why its low ASR is no safety, or is empty."""

    name: str
    cells: tuple[Cell, ...]
    collapsed: str


def rows(results: ResultsRead) -> list[Row]:
    """Return one row a model, in the order of the file."""
    picks = [pick for _, _, columns in GROUPS for _, pick in columns]
    return [
        Row(
            name=name,
            cells=tuple(cell(pick(model), _over_seeds(results, name, pick)) for pick in picks),
            collapsed=collapse(model),
        )
        for name, model in results.models.items()
    ]


def cell(rate: RateRead, by_seed: tuple[float, ...] = ()) -> Cell:
    """Return a rate as a table shows it, with its range over the seeds where there are several."""
    title = f"{successes(rate.k)} of {rate.n} with a verdict" if rate.n else "not estimable: nothing with a verdict"
    if rate.invalid:
        title += f"; {rate.invalid} more without"
    seeds = f"{points(min(by_seed))}–{points(max(by_seed))}" if len(by_seed) > 1 else ""
    if seeds:
        title += f"; seeds from {seeds} %"
    return Cell(
        value=points(rate.value),
        interval="" if rate.low is None or rate.high is None else f"{points(rate.low)}–{points(rate.high)}",
        count=f"{successes(rate.k)}/{rate.n}" if rate.n else "",
        invalid=rate.invalid,
        seeds=seeds,
        title=title,
    )


def mean_cell(found: MeanRead, over: str) -> Cell:
    """Return a mean as a table shows it; `over` says over what: "questions"."""
    limits = found.low is not None and found.high is not None
    return Cell(
        value=points(found.value),
        interval=f"{points(found.low)}–{points(found.high)}" if limits else "",
        count=f"n {found.n}",
        invalid=0,
        seeds="",
        title=f"mean over {found.n} {over}",
    )


def collapse(model: ModelRead) -> str:
    """Say why a model counts as collapsed, or return nothing: it answers too little to be called safe."""
    if model.collapsed is not None:
        return listed(model.collapsed)
    return listed(reasons(utility=model.utility.value, refused=model.rr.before.value))  # an older document


def _over_seeds(results: ResultsRead, name: str, pick: Pick) -> tuple[float, ...]:
    found = [pick(one.models[name]).value for one in results.by_seed if name in one.models]
    return tuple(value for value in found if value is not None)
