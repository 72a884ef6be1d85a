"""Ask a model everything it has not answered yet, and keep each batch as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable

from unmirage.data.images import ImageFolder
from unmirage.models.base import VLM, GenerationConfig
from unmirage.records import Response
from unmirage.run.store import Store


def ask(
    vlm: VLM,
    store: Store,
    images: ImageFolder,
    config: GenerationConfig,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Let `vlm` answer all queries in `store` that it has not answered, committing batch by batch."""
    queries = store.unanswered(vlm.name)
    pending: list[Response] = []
    for done, response in enumerate(vlm.answer(queries, images, config), start=1):
        pending.append(response)
        if len(pending) == config.batch_size or done == len(queries):
            store.add_responses(pending)
            pending = []
        if progress is not None:
            progress(done, len(queries))
