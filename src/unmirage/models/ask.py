"""Collect a model's responses to all queries in a store that it has not answered yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from unmirage.data.images import Pictures
from unmirage.models.base import VLM, GenerationConfig
from unmirage.records import Failure, Query, Response
from unmirage.run.commits import keep_as_they_come
from unmirage.run.store import Store


def ask(
    vlm: VLM,
    store: Store,
    images: Pictures,
    config: GenerationConfig,
    progress: Callable[[int, int], None] | None = None,
    *,
    queries: Sequence[Query] | None = None,
) -> int:
    """Let `vlm` answer all queries in `store` that it has not answered; return the number of failed queries.

    Commits every few rows, and whenever an error or an interrupt stops the run.

    Args:
        vlm: the model.
        store: holds the queries; receives responses and failures.
        images: the images of the queries.
        config: generation settings.
        progress: called with (done, total) after each query.
        queries: if given, limit the run to these queries.
    """
    missing = store.unanswered(vlm.name)
    if queries is not None:
        chosen = {query.id for query in queries}
        missing = [query for query in missing if query.id in chosen]
    failed = 0

    def told(answers: Iterable[Response | Failure]) -> Iterator[Response | Failure]:
        nonlocal failed
        for done, found in enumerate(answers, start=1):
            failed += isinstance(found, Failure)
            yield found
            if progress is not None:
                progress(done, len(missing))

    keep_as_they_come(told(vlm.answer(missing, images, config)), lambda found: _keep(store, found))
    return failed


def _keep(store: Store, found: Sequence[Response | Failure]) -> None:
    store.add_responses(one for one in found if isinstance(one, Response))
    store.add_failures(one for one in found if isinstance(one, Failure))
