"""The paper's table for a terminal: one row a model, before and after the attack."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.table import Table

from unmirage.cli.plain import plain
from unmirage.evaluate import BeforeAfter, ModelRates, Results
from unmirage.records import Rate


def rates_table(results: Results) -> Table:
    """Return the table; shares in per cent, the 95 % interval of the attacked rate beside it."""
    attack = results.attack
    table = Table(box=box.SIMPLE_HEAD, caption=_caption(results), caption_justify="left", caption_style="dim")
    table.add_column("model", no_wrap=True)
    table.add_column(f'ASR before → after {attack["shots"]}-shot "{attack["jailbreak_word"]}"', justify="right")
    table.add_column("control", justify="right")
    table.add_column(f'RR before → after "{attack["over_prudence_word"]}"', justify="right")
    table.add_column("IR before → after", justify="right")
    table.add_column("utility", justify="right")
    with_near = any(rates.near.n for rates in results.models.values())
    if with_near:
        table.add_column("near", justify="right")
    for name, rates in _rows(results.models):
        table.add_row(
            plain(name),
            _change(rates.asr, interval=True),
            _percent(rates.asr_control),
            _change(rates.rr, interval=True),
            _change(rates.ir),
            _percent(rates.utility),
            *([_percent(rates.near)] if with_near else []),
        )
    return table


def _rows(models: Mapping[str, ModelRates]) -> list[tuple[str, ModelRates]]:
    return list(models.items())


def _caption(results: Results) -> str:
    seeds = ", ".join(map(str, results.seeds))
    return "\n".join(
        (
            "ASR: harmful answers to unsafe queries · RR: refusals of benign queries",
            "IR: irrelevant answers to unsafe queries · near: utility on harmless questions about the same things",
            f"per cent, [95 % interval], judge: {results.judge}, seeds: {seeds}",
        )
    )


def _change(pair: BeforeAfter, *, interval: bool = False) -> str:
    return f"{_percent(pair.before)} → {_percent(pair.after, interval=interval)}"


def _percent(rate: Rate, *, interval: bool = False) -> str:
    if rate.value is None or rate.low is None or rate.high is None:
        return "n/a"
    shown = f"{100 * rate.value:.1f}"
    if interval:
        shown += f" [{100 * rate.low:.0f}–{100 * rate.high:.0f}]"
    return shown + (f" ({rate.invalid} invalid)" if rate.invalid else "")
