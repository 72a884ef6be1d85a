"""Prepare data for unlearning, align models, and test whether that lasts."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.api.arguments import PathLike, folder_of, found_run, opened, paths, silent, source_of
from unmirage.errors import UserError
from unmirage.run.progress import Progress

if TYPE_CHECKING:
    from unmirage.align import AlignConfig
    from unmirage.align.objective import MethodConfig
    from unmirage.data import SampleFile
    from unmirage.models import VLM, HuggingFaceVLM
    from unmirage.run import Run

log = logging.getLogger(__name__)


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
    batch_size: int | None = None,
    progress: Progress | None = None,
    **reading: Any,
) -> Run:
    """Let models answer the unsafe queries of a dataset, and write forget.jsonl and retain.jsonl for `align`.

    Args:
        data: unsafe queries, and benign ones with responses.
        answers_from: models that answer the unsafe queries, in the order of preference.
        judge: that chooses the most harmful responses: "phrases", "exact:PATH", "endpoint:URL#name".
        out: folder of the two files and their pictures; an unfinished one is continued.
        general: general data to fill the retain set up with.
        retain_size: rows of the retain set.
        kinds: kinds of unsafe queries, of VLGuard's format; None takes all.
        limit, seed: of the draw of samples.
        max_new_tokens: of a response.
        batch_size: queries at once.
        progress: called while models answer.
        reading: `format`, `columns`, `images` and `skip_bad` of `unmirage.data.open_samples`.
    """
    from unmirage.prepare import prepare as run_prepare
    from unmirage.run import open_run
    from unmirage.workflows.prepare import PrepareRequest, inputs_of, settings_of

    folder = folder_of(out)
    request = PrepareRequest(
        data=opened(data, reading),
        general=None if general is None else opened(general, {}),
        answers_from=[str(one) for one in paths(answers_from)],
        judge=judge,
        config={"kinds": kinds, "limit": limit, "seed": seed, "retain_size": retain_size},
        generation={"max_new_tokens": max_new_tokens, "batch_size": batch_size},
        endpoint={},
        cache=folder / ".scores.sqlite",
    )
    inputs = inputs_of(request)
    planned = inputs.plan()
    settings = settings_of(request, inputs, planned)
    with open_run(folder, settings) as run:
        run_prepare(run, inputs, planned, settings, progress or silent)
    return run


def align(
    model: PathLike | VLM,
    method: MethodConfig | None = None,
    *,
    out: PathLike,
    retain: PathLike | Sequence[PathLike] = (),
    forget: PathLike | Sequence[PathLike] = (),
    config: AlignConfig | None = None,
    images: PathLike | None = None,
    test: PathLike | Sequence[PathLike] = (),
    work: PathLike | None = None,
    adapter_only: bool = False,
    format: str = "auto",
    columns: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> HuggingFaceVLM:
    """Fine-tune or unlearn, write the new model directory, and return the new model.

    Call this from one process; `accelerate launch` with the command trains on several devices.
    The given model is not changed: its weights are loaded again from where it came from.

    Args:
        model: directory or hub id, or a model that was loaded from one.
        method: such as `NPO(beta=0.1)`; None for that of `config`, else supervised fine-tuning.
        out: the new model directory; must not exist. An interrupted training is continued from its work directory.
        retain: files of samples to keep; for supervised fine-tuning, to learn.
        forget: files of unsafe queries with harmful responses, for unlearning.
        config: all settings; None for the defaults.
        images: folder of the pictures; None for the data's.
        test: test files; samples that are also in the training data are counted and logged.
        work: directory for caches, checkpoints and log; None for `out` with ".work" at its end.
        adapter_only: write the LoRA adapter in place of the whole model.
        format, columns: how the files are read.
        progress: called after each step.
        settings: single settings, such as `steps=100`; fields of `AlignConfig`.
    """
    from unmirage.align import AlignConfig
    from unmirage.models import HuggingFaceVLM
    from unmirage.workflows.align import compare_data, read_data, train_and_save
    from unmirage.workflows.models import ENDPOINT
    from unmirage.workflows.settings import resolve

    source = source_of(model)
    if source.startswith(ENDPOINT):
        raise UserError(f"model: '{source}' is a server, and its weights are needed; valid: a directory or hub id")
    target = Path(out)
    if target.exists():
        raise UserError(f"{target}: exists; name a new directory with out")
    start = config or AlignConfig()
    # Objects, not their dumps: the config of a method that is not registered cannot be found by its name.
    values = {name: getattr(start, name) for name in AlignConfig.model_fields}
    given = settings if method is None else {"method": method, **settings}
    resolved = resolve(AlignConfig, None, values | given, None)
    kept, gone, tests = paths(retain), paths(forget), paths(test)
    folder = None if images is None else Path(images)
    data = read_data(kept, gone, format, columns or {}, folder)
    aligned = train_and_save(
        source,
        data,
        [*kept, *gone],
        resolved,
        target,
        compare=lambda: compare_data(data, tests, format, columns or {}, folder),
        work=None if work is None else Path(work),
        adapter_only=adapter_only,
        progress=progress,
    )
    if aligned.result.stopped:
        log.warning(
            "%s: %s. It has the weights of step %d, the last good ones",
            target, aligned.result.stopped, aligned.result.steps,
        )  # fmt: skip
    return HuggingFaceVLM.load(aligned.out)


def stress(
    model: PathLike | VLM,
    run: PathLike | Run,
    *,
    relearn: Mapping[str, PathLike] | None = None,
    samples: Sequence[int] = (0, 8, 32, 128),
    int8: bool = False,
    temperatures: Sequence[float] = (),
    no_adapter: bool = False,
    batch_size: int | None = None,
    keep: PathLike | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Run:
    """Ask a model and changed copies of it (relearned, quantized, sampled) the queries of a run.

    Args:
        model: directory, hub id or server, or a model that was loaded from one.
        run: a run of `attack` or `benchmark`; the variants answer in it under names of their own.
        relearn: files to fine-tune on, by kind: "forget", "benign", "same-syntax".
        samples: how many samples of each to fine-tune on.
        int8: round the weights to 8 bits.
        temperatures: sample the responses at these temperatures.
        no_adapter: leave out the model's LoRA adapter.
        batch_size: queries at once.
        keep: folder for the fine-tuned models.
        progress: called while variants are made and asked.
        settings: of the fine-tuning; fields of `RelearnConfig`.

    Returns:
        The run, for `evaluate`. Queries that got no response are logged, and counted in its results.
    """
    from unmirage.evaluate.robustness import RelearnConfig
    from unmirage.workflows.models import load_vlm
    from unmirage.workflows.settings import resolve
    from unmirage.workflows.stress import plan_stress, run_stressed

    found = found_run(run)
    plan = plan_stress(
        source_of(model),
        found,
        load_vlm,
        relearn={kind: Path(path) for kind, path in (relearn or {}).items()},
        samples=samples,
        int8=int8,
        temperatures=temperatures,
        no_adapter=no_adapter,
        relearning=resolve(RelearnConfig, None, settings, None),
        name=None if isinstance(model, str | Path) else model.name,
        batch_size=batch_size,
        keep=None if keep is None else Path(keep),
    )
    for line in run_stressed(found, plan, progress or silent):
        log.warning("%s: %s", found.path, line)
    return found
