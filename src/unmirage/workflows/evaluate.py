"""Judge the responses of a run and write its rates."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from unmirage.evaluate import Gaps, Results, find_gaps, stops_at_success
from unmirage.evaluate.assess import Judging, evaluate_run
from unmirage.evaluate.judges import Judge
from unmirage.run import Run
from unmirage.text.printable import short
from unmirage.workflows.models import read_calibration

log = logging.getLogger(__name__)
Progress = Callable[[str, int, int], None]


def judge_and_rate(
    run: Run,
    judges: Sequence[Judge],
    *,
    ensemble: str | None = None,
    calibration: Path | None = None,
    canaries: bool = True,
    reference: str | None = None,
    progress: Progress | None = None,
) -> Results:
    """Judge every response in a run, write its results.json, and return the results.

    Args:
        run: a run of an attack or a benchmark.
        judges: the first one determines the rates, unless there is an ensemble.
        ensemble: "majority" or "any": all judges together determine the rates.
        calibration: file of a calibration of the judge that determines the rates.
        canaries: attack judges that are language models, and record flipped verdicts.
        reference: the model that all others are compared with; None for the first.
        progress: called while responses are judged.
    """
    judging = Judging(judges=judges, ensemble=ensemble, canaries=canaries, reference=reference)
    if calibration is not None:
        judging = replace(judging, calibration=read_calibration(calibration, judging.name))
    with run.held():
        results = evaluate_run(run, judging, progress)
        run.write_json(run.results_file, results.to_dict())
    for one in judges:
        accounting = getattr(one, "accounting", None)
        if accounting is not None:
            log.info(accounting.summary())
    return results


def missing_of(run: Run, results: Results) -> list[str]:
    """Return what the rates of each model lack, one line each: queries without response or verdict."""
    stopped = stops_at_success(results.settings)
    found: list[str] = []
    with run.store() as store:
        for name in results.models:
            found += _told(name, find_gaps(store, results.judge, name, stopped=stopped))
    return found


def _told(name: str, found: Gaps) -> list[str]:
    told = [f"{name} has not answered {found.unanswered} queries"] if found.unanswered else []
    if found.failed:
        told.append(f"{found.failed} queries failed with {name} (most often: {short(found.reason, 200)})")
    if found.invalid:
        why = f" (most often: {short(found.why_invalid, 200)})" if found.why_invalid else ""
        told.append(f"{found.invalid} responses of {name} have no verdict{why}")
    return told
