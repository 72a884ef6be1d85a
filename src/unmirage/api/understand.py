"""Find out which words a model's refusals depend on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unmirage.api.checks import checked
from unmirage.run.progress import Progress
from unmirage.workflows.arguments import READING, PathLike, local_model

if TYPE_CHECKING:
    from unmirage.attack.documents import Explanation, SearchResult
    from unmirage.data import SampleFile
    from unmirage.models import HuggingFaceVLM
    from unmirage.run import Run


@checked
def search(
    model: PathLike | HuggingFaceVLM,
    data: PathLike | SampleFile,
    *,
    out: PathLike | None = None,
    limit: int | None = None,
    words: PathLike | Sequence[str] | None = None,
    starts: Sequence[str] | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> SearchResult:
    """Search for the openers that change a model's probability of refusal the most.

    The search uses one half of the samples; the reported values come from the other half.

    Args:
        model: model with local weights: directory, hub id, or loaded.
        data: unsafe and benign queries.
        out: file to write the result to, for `attack(search_result=...)`.
        limit: maximum number of samples, drawn by label.
        words: candidates, or a file with one per line; None for the whole words of the tokenizer.
        starts: first words of refusals; None for common ones and those in the data.
        progress: called while the search runs.
        settings: fields of `SearchConfig`, such as `kind="jailbreak"`, `method="white-box"`, `seed=0`; and `format`,
            `columns`, `images` and `skip_bad` of `unmirage.data.open_samples`.
    """
    from unmirage.workflows.understand import search_words

    reading = {name: settings.pop(name) for name in READING if name in settings}
    return search_words(
        lambda: local_model(model),
        data,
        settings,
        out=out,
        words=words,
        starts=starts,
        limit=limit,
        progress=progress,
        **reading,
    )[0]


@checked
def explain(
    model: PathLike | HuggingFaceVLM,
    data: PathLike | SampleFile,
    *,
    out: PathLike | None = None,
    run: PathLike | Run | None = None,
    benign: bool = False,
    mode: str = "leave-out",
    starts: Sequence[str] | None = None,
    limit: int = 100,
    seed: int = 0,
    batch_size: int = 16,
    progress: Progress | None = None,
    **reading: Any,
) -> Explanation:
    """Leave out each word of a query in turn, and measure the change in the probability of refusal.

    Args:
        model: model with local weights: directory, hub id, or loaded.
        data: its refused queries are explained.
        out: JSON file to write the result to.
        run: run to write the result to, for its report.
        benign: explain the answered queries instead.
        mode: "leave-out" or "mask".
        starts: first words of refusals; None for common ones and those in the data.
        limit, seed: maximum number of queries, and seed of the draw.
        batch_size: queries per batch.
        progress: called while queries are asked.
        reading: `format`, `columns`, `images` and `skip_bad` of `unmirage.data.open_samples`.
    """
    from unmirage.workflows.understand import explain_refusals

    return explain_refusals(
        lambda: local_model(model),
        data,
        out=out,
        run=run,
        benign=benign,
        mode=mode,
        starts=starts,
        limit=limit,
        seed=seed,
        batch_size=batch_size,
        progress=progress,
        **reading,
    )[0]
