"""Judge responses that other programs collected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from unmirage.api.checks import checked
from unmirage.api.measure import evaluate
from unmirage.run.progress import Progress
from unmirage.workflows.arguments import PathLike, folder_of, paths

if TYPE_CHECKING:
    from unmirage.evaluate import Judge, Results
    from unmirage.evaluate.relevance import TextEncoder
    from unmirage.run import Run


@checked
def judge(
    files: PathLike | Sequence[PathLike],
    judge: str | Judge | Sequence[str | Judge] = "phrases",
    *,
    out: PathLike | Run,
    format: str = "auto",
    columns: Mapping[str, str] | None = None,
    model: str | None = None,
    unsafe: str = "auto",
    images: PathLike | None = None,
    skip_bad: bool = False,
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
    """Judge the responses in files as `evaluate` judges those of a run, and return all rates with intervals.

    Args:
        files: responses as JSON, JSONL, CSV, Parquet or .xlsx, or logs of lmms-eval, VLMEvalKit, Inspect or garak.
        judge: one judge or several, as for `evaluate`.
        out: run directory for the responses and their verdicts; the same files can be judged again in it.
        format: "auto", "rows", "lmms-eval", "vlmevalkit", "inspect" or "garak".
        columns: the files' column for each of ours, such as {"response": "output"}; "-" leaves one out.
        model: name of the model, for files without one.
        unsafe: which queries are unsafe: "all", "none", or "auto" for the labels in the files.
        images: folder of the pictures; None for that of the files.
        skip_bad: skip unreadable records.
        ensemble, calibration, canaries, reference, encoder: as for `evaluate`.
        rubric, sees_pictures, schema, max_tokens, batch_size: as for `evaluate`.
        progress: called while files are read and responses are judged.
        endpoint: settings of a judge's server; fields of `EndpointSettings`.
    """
    from unmirage.workflows.judge_file import run_of_files
    from unmirage.workflows.models import check_endpoint

    judges = judge if isinstance(judge, Sequence) and not isinstance(judge, str) else [judge]
    check_endpoint(endpoint, *judges)  # before the files are read
    run = run_of_files(
        paths(files),
        folder_of(out),
        judges,
        format=format,
        columns=columns,
        model=model,
        unsafe=unsafe,
        images=images,
        skip_bad=skip_bad,
        sees_pictures=sees_pictures,
        progress=progress,
    )
    return evaluate(
        run,
        judges,
        ensemble=ensemble,
        calibration=calibration,
        canaries=canaries,
        reference=reference,
        encoder=encoder,
        rubric=rubric,
        sees_pictures=sees_pictures,
        schema=schema,
        max_tokens=max_tokens,
        batch_size=batch_size,
        progress=progress,
        **endpoint,
    )
