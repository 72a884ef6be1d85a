"""Judge the responses of a run and write its rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from unmirage.evaluate import Gaps, Results, find_gaps, stops_at_success
from unmirage.evaluate.assess import Judging, evaluate_run
from unmirage.evaluate.judges import Judge
from unmirage.evaluate.pictures import pictures_of
from unmirage.evaluate.relevance import TextEncoder
from unmirage.run import Run
from unmirage.run.progress import Progress
from unmirage.text.printable import short
from unmirage.workflows.arguments import PathLike
from unmirage.workflows.calibrate import read_calibration
from unmirage.workflows.demo_run import answered, settings_of
from unmirage.workflows.models import log_account, make_judges


def judge_and_rate(
    run: Run,
    judges: Sequence[str | Judge],
    *,
    rubric: str = "harm",
    sees_pictures: bool = False,
    schema: bool = False,
    max_tokens: int | None = None,
    batch_size: int | None = None,
    endpoint: Mapping[str, Any] | None = None,
    ensemble: str | None = None,
    calibration: PathLike | None = None,
    canaries: bool = True,
    reference: str | None = None,
    encoder: PathLike | TextEncoder | None = None,
    progress: Progress | None = None,
) -> tuple[Results, list[str]]:
    """Judge every response in a run, and write its results.json; the arguments are those of `unmirage.evaluate`.

    Returns:
        The results, and what the rates of each model lack, one line each: queries without response or verdict.
    """
    source = answered(run)
    made = make_judges(
        judges,
        rubric,
        schema=schema,
        max_tokens=max_tokens,
        pictures=pictures_of(source) if sees_pictures else None,
        cache=run.path / ".judges.sqlite",
        endpoint=endpoint,
        batch_size=batch_size,
    )
    judging = Judging(judges=made, ensemble=ensemble, canaries=canaries, reference=reference)
    if encoder is not None:
        loaded, name = sentence_encoder(encoder)
        judging = replace(judging, encoder=loaded, encoder_name=name)
    if calibration is not None:
        own = next((judge for judge in made if judge.name == judging.name), None)
        judging = replace(judging, calibration=read_calibration(Path(calibration), judging.name, own))
    with run.held(), nullcontext() if source is run else source.held():
        results = evaluate_run(source, judging, progress, settings_of(source))
        run.write_json(run.results_file, results.to_dict())
    for one in made:
        log_account(one)
    return results, _missing(source, results)


def sentence_encoder(encoder: PathLike | TextEncoder) -> tuple[TextEncoder, str]:
    """Return a sentence encoder and its name: the name of its directory, or of its class.

    Args:
        encoder: directory of a Hugging Face text model, or an object with `encode`.
    """
    if not isinstance(encoder, str | Path):
        return encoder, type(encoder).__name__
    from unmirage.models.encoders import SentenceEncoder

    folder = Path(encoder)
    return SentenceEncoder.load(folder), folder.resolve().name


def _missing(run: Run, results: Results) -> list[str]:
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
