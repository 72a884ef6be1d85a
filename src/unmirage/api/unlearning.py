"""Search settings of unlearning for a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.api.checks import checked
from unmirage.run.progress import Progress
from unmirage.workflows.arguments import PathLike, paths, source_of

if TYPE_CHECKING:
    from unmirage.evaluate import Judge
    from unmirage.evaluate.relevance import TextEncoder
    from unmirage.evaluate.unlearning_settings import UnlearningSettings
    from unmirage.models import HuggingFaceVLM


@checked
def search_unlearning(
    model: PathLike | HuggingFaceVLM,
    forget: PathLike | Sequence[PathLike],
    retain: PathLike | Sequence[PathLike],
    validation: PathLike,
    *,
    encoder: PathLike | TextEncoder,
    out: PathLike,
    methods: Sequence[str] = ("npo", "rmu"),
    candidates: PathLike | Mapping[str, Mapping[str, Any]] | None = None,
    every: int = 8,
    tolerance: float = 0.05,
    benign: int = 24,
    unsafe: int = 16,
    judge: str | Judge = "phrases",
    max_new_tokens: int = 16,
    query_batch: int = 16,
    allow: str | Sequence[str] = (),
    images: PathLike | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> UnlearningSettings:
    """Train candidates, and choose the one that forgets most among those that keep benign responses relevant.

    Args:
        model: directory or hub id, or a model that was loaded from one.
        forget: files of the forget set: unsafe queries with harmful responses, as `prepare` writes them.
        retain: files of the retain set.
        validation: file with unsafe queries, and benign ones with answers, that are not in the training data.
        encoder: directory of a sentence encoder, or an object with `encode`.
        out: directory of the search; finished candidates there are not trained again.
        methods: methods to search: "npo" and "rmu".
        candidates: settings of `AlignConfig` by name, or a YAML file with them; None for the built-in grid.
        every: steps between two measurements.
        tolerance: maximum loss of relevance, compared with the model before training.
        benign, unsafe: numbers of validation queries.
        judge: judge of the responses.
        max_new_tokens, query_batch: maximum new tokens per response, and queries per batch of the measurements.
        allow: "refusals" or "benign": train although more than 5 % of the forget set are refusals, or queries labeled
            benign.
        images: folder of the pictures; None for the folder of each file.
        progress: called while candidates train.
        settings: settings of all candidates; fields of `AlignConfig`, such as `steps=24`.
    """
    from unmirage.workflows.unlearning_study import search_settings

    return search_settings(
        source_of(model),
        paths(forget),
        paths(retain),
        Path(validation),
        encoder=encoder,
        out=Path(out),
        methods=methods,
        candidates=candidates,
        every=every,
        tolerance=tolerance,
        benign=benign,
        unsafe=unsafe,
        judge=judge,
        max_new_tokens=max_new_tokens,
        query_batch=query_batch,
        allow=[allow] if isinstance(allow, str) else allow,
        images=None if images is None else Path(images),
        settings=settings,
        progress=progress,
    )
