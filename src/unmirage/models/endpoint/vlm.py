"""A VLM on an OpenAI-compatible server: concurrent requests, with images as data URLs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence

from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.models.base import GenerationConfig
from unmirage.models.conversation import unopened
from unmirage.models.endpoint.chat import Chat, ChatFailure, chat_messages
from unmirage.models.endpoint.data_urls import DataUrls
from unmirage.models.endpoint.sight import Sight
from unmirage.models.endpoint.spec import EndpointSettings, parse_endpoint
from unmirage.models.endpoint.workers import in_threads
from unmirage.records import Failure, Query, Response
from unmirage.text.printable import clean
from unmirage.text.thoughts import settled


class EndpointVLM:
    """A vision-language model on a server, queried through `Chat`."""

    def __init__(self, name: str, chat: Chat) -> None:
        self.name = name
        self._chat = chat
        self.accounting = chat.accounting
        self.source = ""
        self.thinking = "auto"

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

    @property
    def identity(self) -> dict[str, str]:
        """Return what determines the responses: address, fields of every request, and largest picture."""
        settings = self._chat.settings
        return (
            {"address": str(self._chat.spec)}
            | ({"options": json.dumps(settings.extra, sort_keys=True)} if settings.extra else {})
            | ({"longest side": str(side)} if (side := settings.picture_longest_side) else {})
        )

    def resume(self) -> None:
        """Note that the model has answered other queries in an earlier run."""
        self._chat.resume()

    def answer(
        self, queries: Sequence[Query], images: Pictures, config: GenerationConfig
    ) -> Iterator[Response | Failure]:
        """Yield a response or a failure for each query as it arrives.

        Raises:
            UserError: all other queries would fail too; earlier responses remain valid.
        """
        urls, sight = DataUrls(images, self._chat.settings, self.accounting), Sight(self._chat)

        def work(query: Query, stop: threading.Event) -> Response | Failure:
            try:
                pictures = [urls.url(path) for path in query.paths]
            except UserError as error:
                return Failure(query_id=query.id, model=self.name, reason=str(error))
            try:
                turns = chat_messages(unopened(query), pictures)
                seed = config.seed if config.temperature else None  # greedy decoding needs no seed
                found = self._chat.complete(turns, config.max_new_tokens, config.temperature, seed, stop)
                if found.is_nothing:  # a server may lose a response; a model that has none says so twice
                    found = self._chat.complete(turns, config.max_new_tokens, config.temperature, seed, stop)
                sight.check(turns, found, stop)
            except ChatFailure as failure:
                return Failure(query_id=query.id, model=self.name, reason=str(failure))
            return settled(
                Response(
                    query_id=query.id,
                    model=self.name,
                    text=found.text,
                    tokens=found.tokens or 0,
                    ended=found.ended,
                    thoughts=found.thoughts,
                )
            )

        yield from in_threads(work, _ordered(queries), self._chat.settings.concurrency)


def _ordered(queries: Sequence[Query]) -> list[Query]:
    """Return the queries by image, so that it is encoded once, here and in the server's prefix cache.

    Three queries about different images come first: the server shows with them whether it works at all.
    """
    by_image = sorted(queries, key=lambda query: query.image or "")
    first = list({query.image: query for query in reversed(by_image)}.values())
    probes = [first[0], first[len(first) // 2], first[-1]] if first else []
    chosen = {query.id for query in probes}
    return [*dict.fromkeys(probes), *(query for query in by_image if query.id not in chosen)]
