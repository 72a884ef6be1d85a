"""Ask a model everything it has not answered yet, and keep each batch as soon as it is there."""

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
