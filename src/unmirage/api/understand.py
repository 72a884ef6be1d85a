"""Find out which words a model's refusals depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from unmirage.api.arguments import PathLike, Progress, local_model, opened, silent
from unmirage.errors import UserError

if TYPE_CHECKING:
    from unmirage.attack.documents import Explanation, SearchResult
    from unmirage.data import SampleFile
    from unmirage.models import HuggingFaceVLM


def search(
    model: PathLike | HuggingFaceVLM,
    data: PathLike | SampleFile,
    *,
    limit: int | None = None,
    words: Sequence[str] | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> SearchResult:
    """Search for the openers that change a model's probability of refusal the most.

    Words are found on one half of the samples, and reported on the other.

    Args:
        model: a model whose weights are here.
        data: unsafe and benign queries.
        limit: maximum number of samples, drawn by label.
        words: candidates; None for the whole words of the tokenizer.
        progress: called while the search runs.
        settings: such as `kind="jailbreak"`, `method="white-box"`, `seed=0`; fields of `SearchConfig`.
    """
    from unmirage.attack.search import SearchConfig
    from unmirage.attack.search import search as run_search
    from unmirage.data.rows import with_unique_ids
    from unmirage.data.sample import draw_stratified
    from unmirage.run.fingerprint import sha256_of
    from unmirage.workflows.settings import readable, resolve

    config = resolve(SearchConfig, None, settings, None)
    file = opened(data, {})
    samples, _ = readable(draw_stratified(with_unique_ids(file), limit, config.seed), file.pictures)
    found = run_search(local_model(model), samples, file.pictures, config, words=words, progress=progress or silent)
    return replace(found, data=str(file.source), data_sha256=sha256_of(file.source), limit=limit)


def explain(
    model: PathLike | HuggingFaceVLM,
    data: PathLike | SampleFile,
    *,
    benign: bool = False,
    mode: str = "leave-out",
    limit: int = 100,
    seed: int = 0,
    batch_size: int = 16,
    progress: Progress | None = None,
) -> Explanation:
    """Leave out each word of a query in turn, and measure how the probability of refusal changes.

    Args:
        model: a model whose weights are here.
        data: its refused queries are explained.
        benign: explain the answered queries instead.
        mode: "leave-out" or "mask".
        limit, seed: of the draw of queries.
        batch_size: queries at once.
        progress: called while queries are asked.
    """
    from unmirage.attack import plain
    from unmirage.attack.explain import MODES
    from unmirage.attack.explain import explain as run_explain
    from unmirage.data.rows import with_unique_ids
    from unmirage.data.sample import draw_stratified
    from unmirage.errors import unknown
    from unmirage.text.refusals import starts_for
    from unmirage.workflows.settings import readable

    if mode not in MODES:
        raise unknown("mode", mode, MODES)
    file = opened(data, {})
    known = with_unique_ids(file)
    chosen = [sample for sample in known if sample.refused is not benign]
    if not chosen:
        raise UserError(f"{file.source}: has no {'answered' if benign else 'refused'} query; valid: one at least")
    samples, _ = readable(draw_stratified(chosen, limit, seed), file.pictures)
    starts = starts_for(known)
    found = run_explain(
        local_model(model), plain(samples), file.pictures, starts, MODES[mode], progress or silent, batch_size
    )
    return replace(found, data=str(file.source))
