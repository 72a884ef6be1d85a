"""Requests in, replies out as they come: from a server, several at a time and cached, or from a model loaded here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.models.base import VLM, GenerationConfig
from unmirage.records import Kind, Query, Response
from unmirage.run.cache import TextCache

if TYPE_CHECKING:
    from unmirage.models.endpoint import Accounting, Chat
    from unmirage.models.endpoint.data_urls import DataUrls

# One request a temperature, until a reply can be read.
TEMPERATURES = (0.0, 0.5)
_MOST_TOKENS = 1024  # room for a model that thinks aloud before it replies
UNREADABLE = "the judge gave no verdict that can be read"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked about one response. `key` identifies it, and whoever is asked."""

    key: str
    system: str
    text: str
    image: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: a text that can be read, or None and why."""

    request: Request
    text: str | None
    why: str = ""


Readable = Callable[[Request, str], bool]


class Asker(Protocol):
    """Whoever can be asked.

    Attributes:
        name: of the model.
        made_of: what identifies it.
    """

    name: str
    made_of: Mapping[str, str]

    def ask(self, requests: Sequence[Request], readable: Readable) -> Iterator[Reply]:
        """Yield one reply to each request, in any order."""
        ...


class EndpointAsker:
    """A model on a server.

    Args:
        chat: the model.
        cache: file that keeps replies which can be read, so that an interrupted run asks only for the rest.
        pictures: where the pictures of the requests are; None shows none.
    """

    def __init__(self, chat: Chat, cache: Path | None = None, pictures: Pictures | None = None) -> None:
        from unmirage.models.endpoint.data_urls import DataUrls

        self.name = chat.spec.model
        self.made_of: Mapping[str, str] = {"address": str(chat.spec)}
        self._chat = chat
        self._cache = cache
        self._urls: DataUrls | None = None if pictures is None else DataUrls(pictures, chat.settings)

    @property
    def accounting(self) -> Accounting:
        """Return what was asked so far, and what it cost."""
        return self._chat.accounting

    def ask(self, requests: Sequence[Request], readable: Readable) -> Iterator[Reply]:
        """Yield what the cache holds, then the replies as they come.

        Raises:
            UserError: it makes no sense to ask on; what came before is in the cache.
        """
        from unmirage.models.endpoint import in_threads

        with nullcontext() if self._cache is None else TextCache(self._cache) as cache:
            missing = []
            for request in requests:
                kept = None if cache is None else cache.get(request.key)
                if kept is not None and readable(request, kept):
                    yield Reply(request, kept)
                else:
                    missing.append((request, readable))
            for found in in_threads(self._ask, missing, self._chat.settings.concurrency):
                if cache is not None and found.text is not None:
                    cache.put(found.request.key, found.text)
                yield found

    def _ask(self, item: tuple[Request, Readable], stop: threading.Event) -> Reply:
        from unmirage.models.endpoint import ChatFailure, user_message

        request, readable = item
        try:
            picture = self._urls.url(request.image) if self._urls is not None and request.image is not None else None
        except UserError as error:
            return Reply(request, None, str(error))
        messages = [{"role": "system", "content": request.system}, user_message(request.text, picture)]
        seed = int(request.key[-7:], 16)
        for temperature in TEMPERATURES:
            try:
                reply = self._chat.complete(messages, _MOST_TOKENS, temperature, seed, stop).text
            except ChatFailure as failure:
                return Reply(request, None, str(failure))
            if readable(request, reply):
                return Reply(request, reply)
        return Reply(request, None, UNREADABLE)


class LocalAsker:
    """A vision-language model that is loaded here, asked greedily.

    Args:
        vlm: the model.
        made_of: what identifies it.
        pictures: where the pictures of the requests are.
        batch_size: requests at once; None finds what memory holds.
    """

    def __init__(self, vlm: VLM, made_of: Mapping[str, str], pictures: Pictures, batch_size: int | None = None) -> None:
        self.name = vlm.name
        self.made_of = made_of
        self._vlm = vlm
        self._pictures = pictures
        self._config = GenerationConfig(max_new_tokens=_MOST_TOKENS, batch_size=batch_size)

    def ask(self, requests: Sequence[Request], readable: Readable) -> Iterator[Reply]:
        """Yield the replies batch by batch. Chat templates need not know a system's turn, so there is none."""
        by_key = {request.key: request for request in requests}
        for found in self._vlm.answer([_as_query(request) for request in requests], self._pictures, self._config):
            request = by_key[found.query_id]
            if not isinstance(found, Response):
                yield Reply(request, None, found.reason)
            elif readable(request, found.text):
                yield Reply(request, found.text)
            else:
                yield Reply(request, None, UNREADABLE)


def _as_query(request: Request) -> Query:
    return Query(
        id=request.key,
        sample_id=request.key,
        kind=Kind.PLAIN,
        shot=0,
        text=f"{request.system}\n\n{request.text}",
        image=request.image,
        unsafe=False,
    )
