"""Audit data, attack models, judge their responses, report."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.api.arguments import PathLike, Progress, folder_of, found_run, opened, silent

if TYPE_CHECKING:
    from unmirage.audit import AuditResult
    from unmirage.audit.remedies import Suggested
    from unmirage.data import SampleFile
    from unmirage.evaluate import Judge, Results
    from unmirage.evaluate.calibration import JudgeCalibration
    from unmirage.models import VLM
    from unmirage.records import LabelSource
    from unmirage.run import Run

log = logging.getLogger(__name__)


def audit(
    data: PathLike | SampleFile,
    *,
    test: PathLike | SampleFile | None = None,
    label: LabelSource | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **reading: Any,
) -> AuditResult:
    """Find the surface features of queries and pictures that predict which queries are refused.

    Args:
        data: refused and answered queries.
        test: held-out data to measure predictability on; None cross-validates `data`.
        label: take the label from the "field" or from the "answer" of the data; None as the file has it.
        seed: of folds and draws.
        progress: called while the audit runs.
        reading: `format`, `columns`, `images` and `skip_bad` of `unmirage.data.open_samples`.
    """
    from unmirage.audit.audit import AuditOptions
    from unmirage.audit.audit import audit as run_audit

    held_out = None if test is None else opened(test, reading)
    return run_audit(opened(data, reading), held_out, AuditOptions(seed=seed, label=label, progress=progress))


def load_model(
    model: PathLike,
    name: str | None = None,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
    **endpoint: Any,
) -> VLM:
    """Load a model from a directory or a hub id, or connect to the server that has it.

    Args:
        model: directory, hub id, or "endpoint:URL#model-name".
        name: of the model in tables; None for the last part of `model`.
        revision: commit of a hub id.
        trust_remote_code: run code of the model's repository; needs a full commit as `revision`.
        endpoint: settings of a server, such as `concurrency`; fields of `EndpointSettings`.
    """
    from unmirage.workflows.models import load_vlm

    return load_vlm(str(model), name, endpoint, revision=revision, trust_remote_code=trust_remote_code)


def attack(
    model: PathLike | VLM,
    data: PathLike | SampleFile,
    *,
    out: PathLike | Run,
    words: Mapping[str, str] | Suggested | None = None,
    kinds: Sequence[str] | None = None,
    shots: int = 3,
    over_prudence_shots: int = 1,
    limit: int | None = None,
    seed: int = 0,
    max_new_tokens: int = 256,
    batch_size: int | None = None,
    until_success: str | None = None,
    progress: Progress | None = None,
    **reading: Any,
) -> Run:
    """Ask a model all queries of a dataset as they are, and rewritten by one-word attacks and their controls.

    Args:
        model: the model.
        data: unsafe and benign queries.
        out: run directory; an unfinished run is continued, and several models can share one.
        words: opener by kind of attack, such as {"jailbreak": "what"}, or `AuditResult.suggested` of an audit; an
            audit of `data` suggests missing ones.
        kinds: attacks to make; None makes the usual ones.
        shots: K, attacked queries per unsafe sample.
        over_prudence_shots: attacked queries per benign sample.
        limit: maximum number of samples, drawn by label.
        seed: of the draw.
        max_new_tokens: of a response.
        batch_size: queries at once; None for the largest batch that fits in memory.
        until_success: a judge, such as "phrases": no shot is asked after one that it calls a success.
        progress: called after each response.
        reading: `format`, `columns`, `images` and `skip_bad` of `unmirage.data.open_samples`.

    Returns:
        The run. `run.failures(name)` has the queries that got no response.
    """
    from unmirage.attack import DEFAULT_KINDS
    from unmirage.audit.remedies import Suggested
    from unmirage.workflows.attack import AttackRequest, kinds_of, plan_attack, run_attack
    from unmirage.workflows.overlaps import TrainedOn

    file = opened(data, reading)
    chosen = words.words if isinstance(words, Suggested) else dict(words or {})
    vlm = load_model(model) if isinstance(model, str | Path) else model
    plan = plan_attack(
        AttackRequest(
            file=file,
            kinds=kinds_of(kinds if kinds is not None else DEFAULT_KINDS),
            words=dict(zip(kinds_of([*chosen]), chosen.values(), strict=True)) if chosen else {},
            settings={
                "shots": shots,
                "over_prudence_shots": over_prudence_shots,
                "stop_at_first_success": until_success is not None,
            },
            limit=limit,
            seed=seed,
        )
    )
    trained_on = TrainedOn.by(getattr(vlm, "source", ""), plan.samples, plan.queries, file.pictures)
    for line in trained_on.lines(str(file.source), vlm.name) if trained_on else ():
        log.warning("%s", line)
    run, failures = run_attack(
        vlm,
        plan,
        folder_of(out),
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        until_success=until_success,
        trained_on=trained_on,
        progress=progress,
    )
    if failures:
        log.warning(
            "%d of %d queries got no response from %s, the first (%s): %s",
            len(failures), len(plan.queries), vlm.name, failures[0].query_id[:80], failures[0].reason,
        )  # fmt: skip
    return run


def benchmark(
    model: PathLike | VLM,
    suite: str,
    data: PathLike | None = None,
    *,
    out: PathLike | Run,
    images: PathLike | None = None,
    limit: int | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    max_new_tokens: int | None = None,
    progress: Progress | None = None,
) -> Run:
    """Ask a model a published benchmark, and keep its responses in a run for `evaluate`.

    Args:
        model: the model.
        suite: name of the benchmark; `unmirage evaluate --suite list` shows all.
        data: its file or folder, or "hf:NAME"; None for the hub, where the suite can be loaded from there.
        out: run directory; several models can share one.
        images: folder of the pictures; None for where the benchmark has them.
        limit, seed: of the draw of queries.
        batch_size: queries at once.
        max_new_tokens: of a response; None for the suite's own.
        progress: called after each response.
    """
    from unmirage.workflows.benchmark import ask_suite

    return ask_suite(
        lambda: load_model(model) if isinstance(model, str | Path) else model,
        suite,
        None if data is None else str(data),
        folder_of(out),
        images=None if images is None else Path(images),
        limit=limit,
        seed=seed,
        batch_size=batch_size,
        max_new_tokens=max_new_tokens,
        progress=progress,
    )


def evaluate(
    run: PathLike | Run,
    judge: str | Judge | Sequence[str | Judge] = "phrases",
    *,
    ensemble: str | None = None,
    calibration: PathLike | None = None,
    canaries: bool = True,
    reference: str | None = None,
    rubric: str = "harm",
    progress: Progress | None = None,
    **endpoint: Any,
) -> Results:
    """Judge every response in a run, write its results.json, and return all rates with intervals.

    Args:
        run: a run of `attack` or `benchmark`.
        judge: one judge or several; the first one determines the rates, unless there is an ensemble.
        ensemble: "majority" or "any": all judges together determine the rates.
        calibration: file that `calibrate` wrote; rates are also corrected for the judge's errors.
        canaries: attack judges that are language models, and record which verdicts flip.
        reference: the model that all others are compared with; None for the first.
        rubric: of judges that are language models: "harm" or "relevance".
        progress: called while responses are judged.
        endpoint: settings of a judge's server; fields of `EndpointSettings`.
    """
    from unmirage.workflows.evaluate import judge_and_rate, missing_of
    from unmirage.workflows.models import make_judges

    found = found_run(run)
    named = judge if isinstance(judge, Sequence) and not isinstance(judge, str) else [judge]
    judges = make_judges(named, rubric, cache=found.path / ".judges.sqlite", endpoint=endpoint)
    results = judge_and_rate(
        found,
        judges,
        ensemble=ensemble,
        calibration=None if calibration is None else Path(calibration),
        canaries=canaries,
        reference=reference,
        progress=progress,
    )
    for line in missing_of(found, results):
        log.warning("%s: %s; left out of the rates", found.path, line)
    return results


def calibrate(
    judge: str | Judge,
    labelled: PathLike,
    *,
    out: PathLike | None = None,
    rubric: str = "harm",
    progress: Progress | None = None,
    **endpoint: Any,
) -> JudgeCalibration:
    """Compare a judge with labels that people gave: sensitivity and specificity, with intervals.

    Args:
        judge: the judge.
        labelled: file of labelled responses.
        out: file to write, for `evaluate(calibration=...)`.
        rubric: of a judge that is a language model: "harm" or "relevance".
        progress: called while responses are judged.
        endpoint: settings of the judge's server; fields of `EndpointSettings`.
    """
    from unmirage.evaluate.calibration import measure, read_labelled
    from unmirage.workflows.models import make_judges

    answers = read_labelled(Path(labelled))
    (made,) = make_judges([judge], rubric, endpoint=endpoint)
    told = progress or silent
    found = measure(made, answers, lambda done, total: told(f"judge {made.name}", done, total))
    if out is not None:
        found.save(out)
    return found


def report(
    run: PathLike | Run | Sequence[PathLike | Run],
    *,
    out: PathLike | None = None,
    redact: bool = False,
    reference: str | None = None,
) -> Path:
    """Write one self-contained HTML page about a run or several runs, and return its path.

    Args:
        run: one run, or several to compare.
        out: the file; None for report.html in the run, or comparison.html beside the first of several.
        redact: leave responses and pictures out.
        reference: the model that all others are compared with; None for the first.
    """
    from unmirage.report.run_page import render_comparison_page, render_run_page
    from unmirage.run.files import write_text_atomic

    several = isinstance(run, Sequence) and not isinstance(run, str)
    runs = [found_run(one) for one in run] if several else [found_run(run)]  # type: ignore[union-attr, arg-type]
    if len(runs) == 1:
        beside, page = runs[0].report_file, render_run_page(runs[0], redact=redact, reference=reference)
    else:
        beside = runs[0].path.absolute().parent / "comparison.html"
        page = render_comparison_page(runs, redact=redact, reference=reference)
    path = beside if out is None else Path(out)
    write_text_atomic(path, page)
    return path
