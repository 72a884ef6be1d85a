"""A VLM on an OpenAI-compatible server: asked several queries at a time, pictures as data URLs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.models.base import GenerationConfig
from unmirage.models.endpoint.accounting import Accounting
from unmirage.models.endpoint.chat import Chat, ChatFailure, user_message
from unmirage.models.endpoint.data_urls import DataUrls
from unmirage.models.endpoint.settings import EndpointSettings
from unmirage.models.endpoint.spec import parse_endpoint
from unmirage.models.endpoint.workers import in_threads
from unmirage.records import Failure, Query, Response


class EndpointVLM:
    """A model that `Chat` can ask about pictures."""

    def __init__(self, name: str, chat: Chat) -> None:
        self.name = name
        self._chat = chat
        self.source = ""

    @classmethod
    def connect(cls, target: str, name: str | None = None, settings: EndpointSettings | None = None) -> EndpointVLM:
        """Return the model that `endpoint:URL#model-name` names. Nothing is sent yet.

        Raises:
            UserError: `target` is no such name.
        """
        spec = parse_endpoint(target)
        vlm = cls(name or spec.model, Chat(spec, settings))
        vlm.source = target
        return vlm

    @property
    def accounting(self) -> Accounting:
        """Return what was asked so far, and what it cost."""
        return self._chat.accounting

    def answer(
        self, queries: Sequence[Query], images: Pictures, config: GenerationConfig
    ) -> Iterator[Response | Failure]:
        """Yield a response for each query as it comes, or the reason why there is none.

        Raises:
            UserError: it makes no sense to ask on; all that was yielded before stands.
        """
        urls = DataUrls(images, self._chat.settings)

        def work(query: Query, stop: threading.Event) -> Response | Failure:
            try:
                picture = None if query.image is None else urls.url(query.image)
            except UserError as error:
                return Failure(query_id=query.id, model=self.name, reason=str(error))
            try:
                message = user_message(query.text, picture)
                seed = config.seed if config.temperature else None  # a greedy answer takes none
                found = self._chat.complete([message], config.max_new_tokens, config.temperature, seed, stop)
            except ChatFailure as failure:
                return Failure(query_id=query.id, model=self.name, reason=str(failure))
            return Response(
                query_id=query.id, model=self.name, text=found.text, tokens=found.tokens or 0, finished=found.finished
            )

        # Queries about one picture follow each other: it is encoded once, here and in the server's prefix cache.
        ordered = sorted(queries, key=lambda query: query.image or "")
        yield from in_threads(work, ordered, self._chat.settings.concurrency)
