"""Summarize the rows of all seeds in one document, with rates pooled as in the demo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from unmirage.evaluate import ModelRates, model_rates
from unmirage.run.machine import describe_machine
from unmirage.testbed.documents import MethodRow, MethodsComparison, Questions, Stop
from unmirage.testbed.methods import EXACT, MethodsStudy
from unmirage.testbed.methods_rates import COLUMNS, GOALS, beaten_by, front
from unmirage.testbed.methods_settings import RowSettings


def summarize_methods(studies: Sequence[MethodsStudy], commit: str = "") -> MethodsComparison:
    """Return the document of the rows that every seed has run."""
    settings = studies[0].settings
    told = {name: [study.row(name) for study in studies] for name in settings.rows}
    complete = {name: [one for one in found if one] for name, found in told.items() if all(found)}
    rates = {name: pooled for name in complete if (pooled := _pooled(studies, name, complete[name])) is not None}
    # A row that was stopped on some seed is not a method to choose, regardless of the other seeds.
    sound = {name: rates[name] for name in rates if not any(_stopped(one) for one in complete[name])}
    best, better = front(sound), beaten_by(sound)
    return MethodsComparison(
        commit=commit,
        seeds=tuple(study.study.seed for study in studies),
        judge=EXACT,
        attack=studies[0].study.attack_config().model_dump(mode="json"),
        questions=Questions(
            share_of_samples=settings.questions,
            queries_of_a_row_by_seed=tuple(len(study.questions()) for study in studies),
        ),
        goals={column: "more" if more else "less" for column, more in GOALS.items()},
        front=tuple(best),
        rows=tuple(
            _row(name, settings.rows[name], found, rates.get(name), better.get(name, ()))
            for name, found in complete.items()
        ),
        settings=settings.study.model_dump(mode="json"),
        machine=describe_machine(),
    )


def _row(
    name: str,
    settings: RowSettings,
    found: Sequence[Mapping[str, Any]],
    rates: ModelRates | None,
    beaten_by: Sequence[str],
) -> MethodRow:
    seconds = [one["seconds"] for one in found if "seconds" in one]
    return MethodRow(
        name=name,
        seconds=round(fmean(seconds), 1) if seconds else None,
        stopped=tuple(Stop(seed=one["seed"], step=one["steps"], why=one["stopped"]) for one in found if _stopped(one)),
        rates=None if rates is None else {column: value(rates) for column, value in COLUMNS.items()},
        by_seed=tuple(
            {key: one.get(key) for key in ("seed", "steps", "seconds", "losses", "asked_seconds", "rates")}
            for one in found
        ),
        **settings.model_dump(mode="json"),
        beaten_by=tuple(beaten_by),
    )


def _pooled(studies: Sequence[MethodsStudy], name: str, found: Sequence[Mapping[str, Any]]) -> ModelRates | None:
    """Return the rates over the seeds on which the row was not stopped; None if it was stopped on all."""
    outcomes = [
        outcome
        for group, (study, one) in enumerate(zip(studies, found, strict=True))
        if not _stopped(one)
        for outcome in study.outcomes(name, group)
    ]
    return model_rates(outcomes) if outcomes else None


def _stopped(row: Mapping[str, Any]) -> bool:
    return bool(row.get("stopped"))
