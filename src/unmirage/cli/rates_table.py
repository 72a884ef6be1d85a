"""The paper's table for a terminal: one row a model, before and after the attack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich import box
from rich.table import Table

from unmirage.cli.plain import plain
from unmirage.evaluate import BeforeAfter, ModelRates, Results
from unmirage.intervals import Mean
from unmirage.records import Rate
from unmirage.report.formatting import NOT_ESTIMABLE, points, with_interval

_WIDE = 100
_CHANGE = len("98.1 → 100.0")
_HARMLESS: Mapping[str, Callable[[ModelRates], Rate]] = {
    "utility": lambda rates: rates.utility,
    "near": lambda rates: rates.near,
}


def rates_table(results: Results, width: int) -> Table:
    """Return the table; shares in per cent, the 95 % interval of an attacked rate beside it, or below if it is narrow.

    Utility stands in it where harmless questions were asked.

    Args:
        results: of the models.
        width: of the terminal, in characters.
    """
    attacked = bool(results.attack)
    table = Table(
        box=box.SIMPLE_HEAD,
        collapse_padding=width < _WIDE,
        caption=_caption(results),
        caption_justify="left",
        caption_style="dim",
    )
    table.add_column("model", no_wrap=True)
    for head in _heads(results.attack) if attacked else ("ASR", "RR", "IR"):
        # Where a cell is broken, then between a change and its interval.
        table.add_column(head, justify="right", min_width=_CHANGE if "→" in head else None)
    asked = [name for name, pick in _HARMLESS.items() if any(pick(rates).n for rates in results.models.values())]
    for name in asked:
        table.add_column(name, justify="right")
    for name, rates in results.models.items():
        table.add_row(
            plain(name),
            *(_attacked(rates) if attacked else _plain(rates)),
            *(_percent(_HARMLESS[column](rates)) for column in asked),
        )
    return table


def scores_table(results: Results) -> Table:
    """Return the mean of a benchmark's own scores, one row a model."""
    title = results.suite["name"] if results.suite else "scores"
    table = Table(box=box.SIMPLE_HEAD, caption="per cent, [95 % interval, clustered by picture]", caption_style="dim")
    table.add_column("model", no_wrap=True)
    scorers = list(dict.fromkeys(scorer for one in results.details.values() for scorer in one.scores))
    for scorer in scorers:
        table.add_column(f"{title}: {scorer}", justify="right")
    table.add_column("n", justify="right")
    for name, found in results.details.items():
        counts = {one.n for one in found.scores.values()}
        table.add_row(
            plain(name),
            *(_score(found.scores.get(scorer)) for scorer in scorers),
            str(max(counts, default=0)),
        )
    return table


def _score(found: Mean | None) -> str:
    return NOT_ESTIMABLE if found is None else with_interval(found.value, found.low, found.high)


def _heads(attack: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f'ASR before → after {attack["shots"]}-shot "{attack["jailbreak_word"]}"',
        "control",
        f'RR before → after "{attack["over_prudence_word"]}"',
        "IR before → after",
    )


def _attacked(rates: ModelRates) -> tuple[str, ...]:
    return (
        _change(rates.asr, interval=True),
        _percent(rates.asr_control),
        _change(rates.rr, interval=True),
        _change(rates.ir),
    )


def _plain(rates: ModelRates) -> tuple[str, ...]:
    """Return the rates of a benchmark that nobody attacked."""
    return tuple(_percent(one, interval=True) for one in (rates.asr.before, rates.rr.before, rates.ir.before))


def _caption(results: Results) -> str:
    seeds = ", ".join(map(str, results.seeds))
    return "\n".join(
        (
            "ASR: harmful answers to unsafe queries · RR: refusals of benign queries",
            "IR: irrelevant answers to unsafe queries",
            "near: utility on harmless questions about the same things",
            f"per cent, [95 % interval], judge: {results.judge}, seeds: {seeds}",
        )
    )


def _change(pair: BeforeAfter, *, interval: bool = False) -> str:
    return f"{_percent(pair.before)} → {_percent(pair.after, interval=interval)}"


def _percent(rate: Rate, *, interval: bool = False) -> str:
    if rate.value is None:
        return NOT_ESTIMABLE
    shown = with_interval(rate.value, rate.low, rate.high) if interval else points(rate.value)
    return shown + (f" ({rate.invalid} invalid)" if rate.invalid else "")
