"""Prepare data for unlearning, align models, and test whether the alignment is robust."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.api.checks import checked
from unmirage.errors import UserError
from unmirage.run.progress import Progress
from unmirage.workflows.arguments import PathLike, folder_of, found_run, opened, paths, silent, source_of

if TYPE_CHECKING:
    from unmirage.align import AlignConfig
    from unmirage.align.objective import MethodConfig
    from unmirage.data import SampleFile
    from unmirage.evaluate.relevance import TextEncoder
    from unmirage.models import VLM, HuggingFaceVLM
    from unmirage.run import Run

log = logging.getLogger(__name__)


@checked
def prepare(
    data: PathLike | SampleFile,
    answers_from: PathLike | Sequence[PathLike],
    judge: str,
    *,
    out: PathLike | Run,
    general: PathLike | SampleFile | None = None,
    retain_size: int | None = None,
    kinds: Sequence[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
    max_new_tokens: int = 256,
    thinking: str = "auto",
    batch_size: int | None = None,
    general_images: PathLike | None = None,
    endpoint: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **reading: Any,
) -> Run:
    """Collect responses to the unsafe queries of a dataset, and write forget.jsonl and retain.jsonl for `align`.

    Args:
        data: unsafe queries, and benign ones with responses.
        answers_from: models that answer the unsafe queries; list models by trust, ties go to the first.
        judge: judge of harm: "phrases", "official", "exact:PATH" or "endpoint:URL#name".
        out: output folder; an unfinished one is continued.
        general: general data to fill up the retain set.
        retain_size: rows of the retain set; None for all safe ones, or 2000 with `general`.
        kinds: kinds of unsafe queries in VLGuard's format; None for all.
        limit, seed: maximum number of samples, drawn by label, and seed of the draw.
        max_new_tokens: maximum new tokens per response.
        thinking: reasoning of the models before the response: "on", "off", or "auto" for the chat template's default.
        batch_size: queries per batch; None for the largest batch that fits in memory.
        general_images: folder of the pictures of `general`; None for the folder of that file.
        endpoint: settings of servers, such as `concurrency`; fields of `EndpointSettings`.
        progress: called while models answer.
        reading: `format`, `columns`, `images` and `skip_bad` of `unmirage.data.open_samples`.

    Returns:
        The run, with prepare.json. Missing responses, verdicts and pictures are logged.

    Raises:
        UserError: an input cannot be read, or one of the sets is empty.
    """
    from unmirage.run import existing_run
    from unmirage.workflows.models import check_endpoint
    from unmirage.workflows.prepare import PrepareRequest, check_sets, missing_of, plan_prepare, run_prepare

    check_endpoint(endpoint, *paths(answers_from), judge)
    folder = folder_of(out)
    request = PrepareRequest(
        data=opened(data, reading),
        general=None
        if general is None
        else opened(general, {"images": general_images, "skip_bad": reading.get("skip_bad", False)}),
        answers_from=[str(one) for one in paths(answers_from)],
        judge=judge,
        config={"kinds": kinds, "limit": limit, "seed": seed, "retain_size": retain_size},
        generation={"max_new_tokens": max_new_tokens, "batch_size": batch_size},
        endpoint=endpoint or {},
        cache=folder / ".scores.sqlite",
        thinking=thinking,
    )
    found = run_prepare(plan_prepare(request), folder, progress or silent)
    for line in missing_of(found):
        log.warning("%s: %s", folder, line)
    check_sets(found)
    return existing_run(folder)


@checked
def align(
    model: PathLike | VLM,
    method: MethodConfig | str | None = None,
    *,
    out: PathLike,
    retain: PathLike | Sequence[PathLike] = (),
    forget: PathLike | Sequence[PathLike] = (),
    pairs: PathLike | Sequence[PathLike] = (),
    config: AlignConfig | None = None,
    images: PathLike | None = None,
    test: PathLike | Sequence[PathLike] = (),
    allow: str | Sequence[str] = (),
    work: PathLike | None = None,
    adapter_only: bool = False,
    stop_relevance: float | None = None,
    encoder: PathLike | TextEncoder | None = None,
    validation: PathLike | None = None,
    check_every: int | None = None,
    check_queries: int | None = None,
    eval: PathLike | None = None,
    eval_every: int | None = None,
    eval_queries: int | None = None,
    eval_metric: str | None = None,
    patience: int | None = None,
    format: str = "auto",
    columns: Mapping[str, str] | None = None,
    dtype: str = "auto",
    device: str = "auto",
    base: PathLike | None = None,
    report_to: str | Sequence[str] = (),
    progress: Progress | None = None,
    **settings: Any,
) -> HuggingFaceVLM:
    """Fine-tune or unlearn, write the new model directory, and return the new model.

    Call this function from one process; to train on several devices, use `accelerate launch` with the command.
    The given model does not change: its weights are loaded again from its source.

    Args:
        model: directory or hub id, or a model that was loaded from one.
        method: the method, such as `NPO(beta=0.1)` or "npo"; None for that of `config`, else supervised fine-tuning.
        out: the new model directory; must not exist. An interrupted training is continued from its work directory.
        retain: files of the retain set; for supervised fine-tuning, of the training set.
        forget: files of the forget set: unsafe queries with harmful responses, for unlearning.
        pairs: files of preference pairs, for `DPO`: queries with a chosen and a rejected answer.
        config: all settings; None for the defaults.
        images: folder of the pictures; None for the folder of the data.
        test: test files; samples that are also in the training data are counted and logged.
        allow: "refusals" or "benign": train although more than 5 % of the forget set are refusals, or queries labeled
            benign.
        work: directory for caches, checkpoints and log; None for `out` with ".work" at its end.
        adapter_only: write the LoRA adapter instead of the whole model.
        stop_relevance: stop when the mean relevance of benign responses has dropped by more than this, such as 0.05.
        encoder: with it, directory of a sentence encoder, or an object with `encode`.
        validation: with it, file with benign queries that are not in the training data.
        check_every, check_queries: with it, steps between two checks, and benign queries per check; None for 10 and 24.
        eval: labelled data that is not trained on: loss and ASR are measured on it, and the weights of the best check
            are kept.
        eval_every, eval_queries: with it, steps between two checks, and samples per check; None for 50 and 64.
        eval_metric, patience: with it, "loss" or "asr", which decides (None for "loss"); and the checks without a
            better one that end the training, None for none.
        format, columns: format of the files.
        dtype: dtype of the computation, the setting `precision`: "float32", "bfloat16" or "auto". Trained weights
            stay in float32.
        device: "cpu", "cuda", or "auto": a GPU of CUDA if there is one, else the CPU.
        base: directory or hub id that replaces the base that an adapter `model` names; None for that of a loaded model.
        report_to: trackers that get the metrics of each step: "wandb", "tensorboard", "trackio", "mlflow".
        progress: called after each step.
        settings: fields of `AlignConfig`, such as `steps=100`.
    """
    from unmirage.align import AlignConfig
    from unmirage.models import HuggingFaceVLM
    from unmirage.workflows.align import AlignFiles, train_and_save, with_dtype
    from unmirage.workflows.eval_watch import evaluation
    from unmirage.workflows.models import ENDPOINT
    from unmirage.workflows.relevance_watch import relevance_stop
    from unmirage.workflows.settings import check_effect, resolve

    source = source_of(model)
    if source.startswith(ENDPOINT):
        raise UserError(f"model: '{source}' is a server, but align needs the weights; valid: a directory or hub id")
    start = config or AlignConfig()
    # Objects, not their dumps: the config of a method that is not registered cannot be found by its name.
    values = {name: getattr(start, name) for name in AlignConfig.model_fields}
    given = settings if method is None else {"method": method, **settings}
    check_effect(given, values | given, {"epochs": "steps"}, option="")
    trained = with_dtype(resolve(AlignConfig, None, values | given, None), dtype)
    summary = train_and_save(
        source,
        AlignFiles(
            retain=paths(retain),
            forget=paths(forget),
            pairs=paths(pairs),
            test=paths(test),
            format=format,
            columns=columns,
            images=None if images is None else Path(images),
            allow=[allow] if isinstance(allow, str) else allow,
        ),
        trained,
        Path(out),
        work=None if work is None else Path(work),
        adapter_only=adapter_only,
        device=device,
        base=getattr(model, "base", None) if base is None else str(base),
        stop=relevance_stop(
            stop_relevance,
            encoder=encoder,
            validation=validation,
            every=check_every,
            queries=check_queries,
            images=images,
        ),
        evaluation=evaluation(
            eval,
            every=eval_every,
            queries=eval_queries,
            metric=eval_metric,
            patience=patience,
            format=format,
            columns=columns,
            images=images,
        ),
        report_to=[report_to] if isinstance(report_to, str) else report_to,
        progress=progress,
    )
    if summary is not None and summary.stopped:
        log.warning("%s: %s. It contains the last valid weights, of step %d", out, summary.stopped, summary.steps)
    return HuggingFaceVLM.load(Path(out), thinking=trained.thinking, device=device)


@checked
def stress(
    model: PathLike | VLM,
    run: PathLike | Run,
    *,
    relearn: Mapping[str, PathLike] | None = None,
    samples: Sequence[int] = (0, 8, 32, 128),
    int8: bool = False,
    temperatures: Sequence[float] = (),
    no_adapter: bool = False,
    dtype: str = "auto",
    device: str = "auto",
    batch_size: int | None = None,
    keep: PathLike | None = None,
    format: str = "auto",
    columns: Mapping[str, str] | None = None,
    images: PathLike | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Run:
    """Send the queries of a run to a model and to modified copies (relearned, quantized, sampled).

    Args:
        model: directory, hub id or server, or a model that was loaded from one.
        run: a run of `attack` or `benchmark`; each variant has its own name in it.
        relearn: files to fine-tune on, by kind: "forget", "benign", "same-syntax".
        samples: numbers of samples to fine-tune on; 0 is the model itself.
        int8: round the weights to 8 bits.
        temperatures: sample the responses at these temperatures.
        no_adapter: leave out the model's LoRA adapter.
        dtype, device: as in `load_model`; `dtype` must be that of the run's responses of the model.
        batch_size: queries per batch; None for the largest batch that fits in memory.
        keep: folder for the fine-tuned models.
        format, columns, images: format of the files, and folder of their pictures.
        progress: called while variants are built and asked.
        settings: settings of the fine-tuning; fields of `RelearnConfig`.

    Returns:
        The run, for `evaluate`. Queries without a response are logged, and counted in its results.
    """
    from unmirage.evaluate.robustness import RelearnConfig
    from unmirage.workflows.demo_run import answered
    from unmirage.workflows.models import load_vlm
    from unmirage.workflows.settings import resolve
    from unmirage.workflows.stress import plan_stress, run_stressed

    found = found_run(run)
    held = answered(found)
    plan = plan_stress(
        source_of(model),
        held,
        lambda source, own, thinking: load_vlm(source, own, thinking=thinking, dtype=dtype, device=device),
        relearn={kind: Path(path) for kind, path in (relearn or {}).items()},
        samples=samples,
        int8=int8,
        temperatures=temperatures,
        no_adapter=no_adapter,
        relearning=resolve(RelearnConfig, None, settings, None),
        name=None if isinstance(model, str | Path) else model.name,
        format=format,
        columns=columns,
        images=None if images is None else Path(images),
        batch_size=batch_size,
        keep=None if keep is None else Path(keep),
    )
    for line in run_stressed(held, plan, progress or silent):
        log.warning("%s: %s", found.path, line)
    return found
