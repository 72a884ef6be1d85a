"""Ask a model everything it has not answered yet, and keep each batch as soon as it is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from unmirage.data.images import Pictures
from unmirage.models.base import VLM, GenerationConfig
from unmirage.records import Failure, Query, Response
from unmirage.run.store import Store

_ROWS, _SECONDS = 64, 2.0  # what may be lost by a kill


def ask(
    vlm: VLM,
    store: Store,
    images: Pictures,
    config: GenerationConfig,
    progress: Callable[[int, int], None] | None = None,
    *,
    queries: Sequence[Query] | None = None,
) -> int:
    """Let `vlm` answer all queries in `store` that it has not answered; return how many of them failed.

    What is there is committed every few rows, and whenever something stops the work.

    Args:
        vlm: whom to ask.
        store: holds the queries, and takes responses and failures.
        images: where the queries' pictures are.
        config: how to answer.
        progress: called with (done, total) after each query.
        queries: ask only these of them.
    """
    missing = store.unanswered(vlm.name)
    if queries is not None:
        chosen = {query.id for query in queries}
        missing = [query for query in missing if query.id in chosen]
    pending: list[Response | Failure] = []
    failed, since = 0, time.monotonic()
    try:
        for done, found in enumerate(vlm.answer(missing, images, config), start=1):
            pending.append(found)
            failed += isinstance(found, Failure)
            if len(pending) >= _ROWS or time.monotonic() - since > _SECONDS:
                _keep(store, pending)
                pending, since = [], time.monotonic()
            if progress is not None:
                progress(done, len(missing))
    finally:
        _keep(store, pending)
    return failed


def _keep(store: Store, found: Sequence[Response | Failure]) -> None:
    if found:
        store.add_responses(one for one in found if isinstance(one, Response))
        store.add_failures(one for one in found if isinstance(one, Failure))
