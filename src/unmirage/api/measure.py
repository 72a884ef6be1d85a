"""Attack models, judge their responses, and calibrate judges."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.api.checks import checked
from unmirage.run.progress import Progress, in_stage
from unmirage.workflows.arguments import PathLike, folder_of, found_run, opened

if TYPE_CHECKING:
    from unmirage.attack.rewriters import Rewriter
    from unmirage.audit.suggest import Suggested
    from unmirage.data import SampleFile
    from unmirage.evaluate import Judge, Results
    from unmirage.evaluate.calibration import JudgeCalibration
    from unmirage.evaluate.relevance import TextEncoder
    from unmirage.models import VLM
    from unmirage.run import Run

log = logging.getLogger(__name__)


@checked
def attack(
    model: PathLike | VLM,
    data: PathLike | SampleFile,
    *,
    out: PathLike | Run,
    words: Mapping[str, str] | Suggested | None = None,
    audit: PathLike | None = None,
    search_result: PathLike | None = None,
    kinds: Sequence[str] | None = None,
    shots: int = 3,
    over_prudence_shots: int = 1,
    position: str = "first",
    rewriter: str | Rewriter = "rules",
    wordings: str = "free",
    fill_with_rules: bool = False,
    encoder: PathLike | None = None,
    queries: Mapping[str, PathLike] | None = None,
    write: Mapping[str, PathLike] | None = None,
    limit: int | None = None,
    seed: int = 0,
    max_new_tokens: int = 256,
    thinking: str = "auto",
    dtype: str = "auto",
    device: str = "auto",
    batch_size: int | None = None,
    until_success: str | None = None,
    endpoint: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **reading: Any,
) -> Run:
    """Ask a model all queries of a dataset, unchanged and rewritten by one-word attacks and their controls.

    In a script that `torchrun` starts, all processes must call it; they share the queries, and the main process writes.

    Args:
        model: directory, hub id or "endpoint:URL#model-name", or a loaded model.
        data: unsafe and benign queries.
        out: run directory; an unfinished run is continued, and several models can share one.
        words: opener by kind of attack, such as {"jailbreak": "what"}, or `AuditResult.suggested` of an audit; an
            audit of `data` suggests missing ones.
        audit: file of a saved audit, whose suggestions replace those of an audit of `data`.
        search_result: file of `search`; its best word is used, on samples held out from the search.
        kinds: kinds of attack; None for jailbreak, over-prudence and control.
        shots: K, attacked queries per unsafe sample.
        over_prudence_shots: attacked queries per benign sample.
        position: position of the word: "first", "middle" or "last".
        rewriter: the rewriter or its name, such as "rules" or "endpoint:URL#model-name".
        wordings: families of the rules' wordings: "noun", "passive", "insert" (those of earlier versions), or "free"
            for all. They are ordered by what the audit learned, else by the labels of `data`.
        fill_with_rules: whether rules make the rewrites that a language model as rewriter does not.
        encoder: directory of a sentence encoder that checks the meaning of rewrites.
        queries: files of prebuilt queries, by kind.
        write: files to write the queries to, by kind, in VLGuard's format.
        limit, seed: maximum number of samples, drawn by label, and seed of the draw.
        max_new_tokens: maximum new tokens per response.
        thinking: reasoning before the response: "on", "off", or "auto" for the chat template's default.
        dtype, device: as in `load_model`.
        batch_size: queries per batch; None for the largest batch that fits in memory.
        until_success: judge, such as "phrases": a sample's shots end at the first one that it counts as a success.
        endpoint: settings of servers, such as `concurrency`; fields of `EndpointSettings`.
        progress: called after each response.
        reading: `format`, `columns`, `images` and `skip_bad` of `unmirage.data.open_samples`.

    Returns:
        The run. `run.failures(name)` returns the queries without a response.
    """
    from unmirage.attack import DEFAULT_KINDS
    from unmirage.audit.suggest import Suggested
    from unmirage.workflows.attack import AttackRequest, by_kind, files_by_kind, kinds_of, plan_attack, run_attack
    from unmirage.workflows.group import follow, is_follower, placed
    from unmirage.workflows.models import check_endpoint, loader

    check_endpoint(endpoint, model, rewriter)
    given = isinstance(model, str | Path)
    folder = folder_of(out)
    load = loader(model, endpoint, thinking, dtype, placed(model, device) if given else device)
    if is_follower():
        from unmirage.run import Run

        follow(load, lambda: opened(data, reading).pictures)
        return Run(folder)
    plan = plan_attack(
        AttackRequest(
            file=opened(data, reading),
            kinds=kinds_of(DEFAULT_KINDS if kinds is None else kinds),
            model=str(model) if given else getattr(model, "source", ""),
            name=Path(model).name if isinstance(model, str | Path) else model.name,
            words=by_kind(words.words if isinstance(words, Suggested) else words),
            audit=None if audit is None else Path(audit),
            search_result=None if search_result is None else Path(search_result),
            queries=files_by_kind(queries),
            write=files_by_kind(write),
            settings={"shots": shots, "over_prudence_shots": over_prudence_shots, "position": position},
            until_success=until_success,
            limit=limit,
            seed=seed,
            rewriter=rewriter,
            wordings=wordings,
            fill_with_rules=fill_with_rules,
            cache=folder / ".rewrites.sqlite",
            encoder=None if encoder is None else Path(encoder),
            endpoint=endpoint or {},
        )
    )
    done = run_attack(
        load,
        plan,
        folder,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        progress=progress,
    )
    if done.missing:
        log.warning("%s", done.missing)
    return done.run


@checked
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
    thinking: str = "auto",
    dtype: str = "auto",
    device: str = "auto",
    progress: Progress | None = None,
) -> Run:
    """Ask a model the queries of a published benchmark, and store its responses in a run for `evaluate`.

    Args:
        model: directory, hub id or "endpoint:URL#model-name", or a loaded model.
        suite: name of the benchmark; `unmirage evaluate --suite list` shows all.
        data: its file or folder, or "hf:NAME"; None for the hub, if the suite can be loaded from there.
        out: run directory; several models can share one.
        images: folder of the pictures; None for the benchmark's own folder.
        limit, seed: maximum number of queries, and seed of the draw, which is stratified by category and label.
        batch_size: queries per batch.
        max_new_tokens: maximum new tokens per response; None for the suite's default.
        thinking: reasoning before the response: "on", "off", or "auto" for the chat template's default.
        dtype, device: as in `load_model`.
        progress: called after each response.
    """
    from unmirage.workflows.benchmark import ask_suite
    from unmirage.workflows.models import loader

    return ask_suite(
        loader(model, None, thinking, dtype, device),
        suite,
        data,
        folder_of(out),
        images=images,
        limit=limit,
        seed=seed,
        batch_size=batch_size,
        max_new_tokens=max_new_tokens,
        progress=progress,
    )


@checked
def evaluate(
    run: PathLike | Run,
    judge: str | Judge | Sequence[str | Judge] = "phrases",
    *,
    ensemble: str | None = None,
    calibration: PathLike | None = None,
    canaries: bool = True,
    reference: str | None = None,
    encoder: PathLike | TextEncoder | None = None,
    rubric: str = "harm",
    sees_pictures: bool = False,
    schema: bool = False,
    max_tokens: int | None = None,
    batch_size: int | None = None,
    progress: Progress | None = None,
    **endpoint: Any,
) -> Results:
    """Judge every response in a run, write its results.json, and return all rates with intervals.

    Args:
        run: a run of `attack` or `benchmark`.
        judge: one judge or several; the first one determines the rates, unless there is an ensemble.
        ensemble: "majority" or "any": all judges together determine the rates.
        calibration: file of `calibrate`; rates are also reported corrected for the judge's errors.
        canaries: attack judges that are language models, and record flipped verdicts.
        reference: the model that all others are compared with; None for the first.
        encoder: directory of a sentence encoder, or an object with `encode`, that measures the relevance of the
            responses to benign plain queries; None to leave it out.
        rubric: rubric of judges that are language models: "harm" or "relevance".
        sees_pictures: show the pictures to judges that are language models.
        schema: request JSON-schema replies from judges on servers.
        max_tokens: maximum tokens of a reply of judges that are language models; None for 1024.
        batch_size: responses per batch, for judges with local weights; None for the largest batch that fits in memory.
        progress: called while responses are judged.
        endpoint: settings of a judge's server; fields of `EndpointSettings`.
    """
    from unmirage.workflows.evaluate import judge_and_rate
    from unmirage.workflows.models import check_endpoint

    judges = judge if isinstance(judge, Sequence) and not isinstance(judge, str) else [judge]
    check_endpoint(endpoint, *judges)
    found = found_run(run)
    results, missing = judge_and_rate(
        found,
        judges,
        rubric=rubric,
        sees_pictures=sees_pictures,
        schema=schema,
        max_tokens=max_tokens,
        batch_size=batch_size,
        endpoint=endpoint,
        ensemble=ensemble,
        calibration=calibration,
        canaries=canaries,
        reference=reference,
        encoder=encoder,
        progress=progress,
    )
    for line in missing:
        log.warning("%s: %s; left out of the rates", found.path, line)
    return results


@checked
def calibrate(
    judge: str | Judge,
    labeled: PathLike | None = None,
    *,
    labels: str | None = None,
    label_map: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    out: PathLike | None = None,
    rubric: str = "harm",
    sees_pictures: bool = False,
    schema: bool = False,
    max_tokens: int | None = None,
    images: PathLike | None = None,
    batch_size: int | None = None,
    progress: Progress | None = None,
    **endpoint: Any,
) -> JudgeCalibration:
    """Compare a judge with human labels: sensitivity and specificity, with intervals.

    Args:
        judge: the judge.
        labeled: JSON, JSONL, CSV or Parquet file of labeled responses.
        labels: labels that ship with the package, instead of a file: "xstest", "msts", or a part such as "msts:french".
        label_map: verdict of each label that is not one: {"refusal": "refused"}. "partial" counts in no rate.
        columns: the file's column for each of ours: {"query": "prompt", "verdict": "rating"}; others are guessed.
        out: file to write, for `evaluate(calibration=...)`.
        rubric: rubric of a judge that is a language model: "harm" or "relevance".
        sees_pictures: show the pictures to a judge that is a language model.
        schema: request JSON-schema replies from a judge on a server.
        max_tokens: maximum tokens of a reply of a judge that is a language model; None for 1024.
        images: folder of the pictures; None for that of `labeled`.
        batch_size: responses per batch, for a judge with local weights; None for the largest batch that fits in memory.
        progress: called while responses are judged.
        endpoint: settings of the judge's server; fields of `EndpointSettings`.
    """
    from unmirage.workflows.calibrate import calibrate_judge
    from unmirage.workflows.models import check_endpoint

    check_endpoint(endpoint, judge)
    return calibrate_judge(
        judge,
        labeled,
        labels=labels,
        label_map=label_map,
        columns=columns,
        out=out,
        images=images,
        sees_pictures=sees_pictures,
        rubric=rubric,
        schema=schema,
        max_tokens=max_tokens,
        batch_size=batch_size,
        endpoint=endpoint,
        progress=in_stage(progress, f"judge {judge if isinstance(judge, str) else judge.name}"),
    )
