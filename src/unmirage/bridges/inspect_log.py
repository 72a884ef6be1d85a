"""Export a judged run as Inspect eval logs, one per model, for `inspect view`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalLog,
    EvalPlan,
    EvalPlanStep,
    EvalResults,
    EvalSpec,
    EvalStats,
    write_eval_log,
)

from unmirage.bridges import inspect_parts
from unmirage.bridges.inspect_parts import PLAIN_VIEW, Pictured, Shown, samples_of
from unmirage.errors import UserError
from unmirage.evaluate.pictures import pictures_at_hand
from unmirage.evaluate.results import Results
from unmirage.records import Verdict
from unmirage.run import Run
from unmirage.run.files import open_bytes_atomic
from unmirage.run.progress import StepProgress
from unmirage.run.store import Store

LogFormat = Literal["eval", "json"]
# Inspect's provider for "no model". Rescoring a log requires a model name with a provider.
_UNASKED = "none"
_UNFIT = re.compile(r"[^A-Za-z0-9.+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Paths of the written logs, and one-line errors for images that could not be embedded."""

    paths: list[Path]
    unreadable: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A run directory with a store, the rates of its models as in results.json, and its seed."""

    run: Run
    models: Mapping[str, Any]
    seed: int


def export_run(
    run: Run,
    out: Path,
    *,
    log_format: LogFormat = "eval",
    pictures: bool = False,
    redact: bool = False,
    progress: StepProgress | None = None,
) -> Exported:
    """Write one log per model of a run, atomically. The same run always gives the same file names.

    Args:
        run: judged run with results.json. A run over several seeds gives one log per seed and model.
        out: output folder. Other files in it are kept.
        log_format: "eval" is compressed; "json" is readable without Inspect.
        pictures: whether to embed the images; otherwise the log contains their names.
        redact: whether to omit the responses and the judges' explanations, which may quote them.
        progress: called with (logs written, total logs).

    Raises:
        UserError: the run is not judged, or has no responses.
    """
    document = Results.load(run.results_file).to_dict()
    judged = datetime.fromtimestamp(int(run.results_file.stat().st_mtime), UTC)
    shown = Shown(redact=redact, judges=tuple({document["judge"]: None} | dict.fromkeys(document.get("judges") or ())))
    paths: list[Path] = []
    unreadable: list[str] = []
    sources = _sources(run, document)
    total = sum(len(source.models) for source in sources)
    with TemporaryDirectory() as folder:
        for source in sources:
            pictured = Pictured(pictures_at_hand(source.run), embed=pictures)
            with source.run.store() as store:
                for model in [name for name in store.models() if name in source.models]:
                    log = _log(source, store, model, document, shown, pictured, judged)
                    made = Path(folder) / f"{_file_name(log)}.{log_format}"
                    write_eval_log(log, made, log_format)
                    paths.append(out / made.name)
                    if progress is not None:
                        progress(len(paths), total)
            unreadable += pictured.unreadable.values()
        for path in paths:
            with (Path(folder) / path.name).open("rb") as file, open_bytes_atomic(path) as target:
                shutil.copyfileobj(file, target)
    return Exported(paths=paths, unreadable=unreadable)


def _sources(run: Run, document: Mapping[str, Any]) -> list[_Source]:
    """Return the run itself if it has a store, otherwise its seeds with a store."""
    seeds = [(Run(run.path / f"seed-{one['seed']}"), one) for one in document.get("by_seed", [])]
    found = [(run, {"models": document["models"], "seed": document["seeds"][0]}), *seeds]
    sources = [
        _Source(run=one, models=part["models"], seed=part["seed"])
        for one, part in found
        if (one.path / "store.sqlite").is_file()
    ]
    if not sources:
        raise UserError(
            f"{run.path}: store.sqlite is missing, so the run has no responses; valid: a run of `unmirage attack`"
        )
    return sources[:1] if sources[0].run is run else sources


def _log(
    source: _Source,
    store: Store,
    model: str,
    document: Mapping[str, Any],
    shown: Shown,
    pictured: Pictured,
    judged: datetime,
) -> EvalLog:
    samples = list(samples_of(store, model, shown, pictured))
    suite = document.get("suite") or {}
    config = source.run.config()
    identity = f"{source.run.config_file.read_text(encoding='utf-8')}|{source.seed}"
    spec = EvalSpec(
        run_id=_id(identity),
        eval_id=_id(identity, model),
        task_id=_id(identity, model, "task"),
        created=judged.isoformat(),
        task=str(suite.get("name") or "unmirage"),
        tags=["unmirage", *([suite["purpose"]] if suite.get("purpose") else [])],
        dataset=EvalDataset(
            name=Path(str(config.get("data", ""))).name or None,
            samples=len(samples),
            sample_ids=[sample.id for sample in samples],
        ),
        model=f"{_UNASKED}/{model}",
        config=EvalConfig(),
        packages={"unmirage": metadata.version("unmirage")},
        metadata={
            "schema": document["schema"],
            "model": model,
            "seed": source.seed,
            "attack": document.get("attack", {}),
            "data_sha256": config.get("data_sha256"),
            "redacted": shown.redact,
        },
        viewer=PLAIN_VIEW,
    )
    answered = sum(sample.error is None for sample in samples)
    return EvalLog(
        status="success",
        eval=spec,
        # The duration is unknown. With equal times, the viewer shows no number.
        stats=EvalStats(started_at=spec.created, completed_at=spec.created),
        plan=EvalPlan(steps=[EvalPlanStep(solver="generate")]),
        results=EvalResults(
            total_samples=len(samples),
            completed_samples=answered,
            scores=list(_scores(source, store, model, document, answered)),
        ),
        samples=samples,
    )


def _scores(source: _Source, store: Store, model: str, document: Mapping[str, Any], answered: int) -> Iterator[Any]:
    """Yield the scores of a model by each judge and scoring rule, starting with the judge that determines the rates."""
    rates = {name: part for name, part in source.models[model].items() if name != "scores"}
    others = dict(document.get("judges") or {})
    main = document["judge"]
    # results.json lists details of the main judge, such as its calibration, among the other judges.
    parts = {main: rates | {"judge": others.pop(main, None)}} | others
    for judge, part in parts.items():
        valid = sum(one.verdict is not Verdict.INVALID for one in store.judgements(model, judge))
        yield inspect_parts.score(judge, part, scored=valid, unscored=answered - valid)
    for scorer, mean in (source.models[model].get("scores") or {}).items():
        yield inspect_parts.score(scorer, {"mean": mean}, scored=mean["n"], unscored=answered - mean["n"])


def _id(*parts: str) -> str:
    """Return a reproducible id."""
    return blake2b("|".join(parts).encode("utf-8", "replace"), digest_size=11).hexdigest()


def _file_name(log: EvalLog) -> str:
    """Return a file name in Inspect's pattern: time, task, model and id, separated by underscores."""
    when = datetime.fromisoformat(log.eval.created).strftime("%Y-%m-%dT%H-%M-%S")
    named = [
        _UNFIT.sub("-", text)[:60].strip("-.") or "unnamed"
        for text in (log.eval.task, log.eval.model.removeprefix(f"{_UNASKED}/"))
    ]
    return "_".join([when, *named, log.eval.task_id])
