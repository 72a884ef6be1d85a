"""A VLM on an OpenAI-compatible server: concurrent requests, with images as data URLs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.models.base import GenerationConfig
from unmirage.models.conversation import unopened
from unmirage.models.endpoint.chat import Chat, ChatFailure, chat_messages
from unmirage.models.endpoint.data_urls import DataUrls
from unmirage.models.endpoint.spec import EndpointSettings, parse_endpoint
from unmirage.models.endpoint.workers import in_threads
from unmirage.records import Ended, Failure, Query, Response
from unmirage.text.printable import clean
from unmirage.text.thoughts import settled


class EndpointVLM:
    """A vision-language model on a server, queried through `Chat`."""

    def __init__(self, name: str, chat: Chat) -> None:
        self.name = name
        self._chat = chat
        self.accounting = chat.accounting
        self.source = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({clean(self.name, 80)!r}, source={clean(self.source, 200)!r})"

    @classmethod
    def connect(cls, target: str, name: str | None = None, settings: EndpointSettings | None = None) -> EndpointVLM:
        """Return the model for `endpoint:URL#model-name`. Sends no request.

        Raises:
            UserError: `target` has another form.
        """
        spec = parse_endpoint(target)
        vlm = cls(name or spec.model, Chat(spec, settings))
        vlm.source = target
        return vlm

    def answer(
        self, queries: Sequence[Query], images: Pictures, config: GenerationConfig
    ) -> Iterator[Response | Failure]:
        """Yield a response or a failure for each query as it arrives.

        Raises:
            UserError: all other queries would fail too; earlier responses remain valid.
        """
        urls = DataUrls(images, self._chat.settings)

        def work(query: Query, stop: threading.Event) -> Response | Failure:
            try:
                pictures = [urls.url(path) for path in query.paths]
            except UserError as error:
                return Failure(query_id=query.id, model=self.name, reason=str(error))
            try:
                turns = chat_messages(unopened(query), pictures)
                seed = config.seed if config.temperature else None  # greedy decoding needs no seed
                found = self._chat.complete(turns, config.max_new_tokens, config.temperature, seed, stop)
            except ChatFailure as failure:
                return Failure(query_id=query.id, model=self.name, reason=str(failure))
            ended = Ended.STOP if found.finished else Ended.LENGTH
            return settled(
                Response(query_id=query.id, model=self.name, text=found.text, tokens=found.tokens or 0, ended=ended)
            )

        # Queries about one image are consecutive, so that it is encoded once, here and in the server's prefix cache.
        ordered = sorted(queries, key=lambda query: query.image or "")
        yield from in_threads(work, ordered, self._chat.settings.concurrency)
