"""Requests in, replies out as they come: from a server, from a model loaded here, or from what was said before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

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
    """What is asked about one response. `key` identifies it, and whoever is asked; `schema` is that of the reply."""

    key: str
    system: str
    text: str
    image: str | None = None
    schema: Mapping[str, Any] | None = None


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
        accounting: what was asked and what it cost, of a server; else None.
    """

    name: str
    made_of: Mapping[str, str]
    accounting: Accounting | None

    def ask(self, requests: Sequence[Request], readable: Readable) -> Iterator[Reply]:
        """Yield one reply to each request, in any order."""
        ...


class CachedAsker:
    """Whoever is asked, with a memory: an interrupted run asks only for the rest.

    Args:
        asker: whom to ask.
        path: file that keeps the replies which can be read.
    """

    def __init__(self, asker: Asker, path: Path) -> None:
        self.name = asker.name
        self.made_of = asker.made_of
        self.accounting = asker.accounting
        self._asker = asker
        self._path = path

    def ask(self, requests: Sequence[Request], readable: Readable) -> Iterator[Reply]:
        """Yield what is kept, then the replies as they come; these are kept before they are yielded."""
        with TextCache(self._path) as cache:
            missing = []
            for request in requests:
                kept = cache.get(request.key)
                if kept is not None and readable(request, kept):
                    yield Reply(request, kept)
                else:
                    missing.append(request)
            for found in self._asker.ask(missing, readable) if missing else ():
                if found.text is not None:
                    cache.put(found.request.key, found.text)
                yield found


def remembering(asker: Asker, path: Path | None) -> Asker:
    """Return the asker with a memory, or as it is where `path` is None."""
    return asker if path is None else CachedAsker(asker, path)


class EndpointAsker:
    """A model on a server.

    Args:
        chat: the model.
        pictures: where the pictures of the requests are; None shows none.
        held: the server holds replies to the JSON schema of the request. Not every server can.
    """

    def __init__(self, chat: Chat, pictures: Pictures | None = None, *, held: bool = False) -> None:
        from unmirage.models.endpoint.data_urls import DataUrls

        self.name = chat.spec.model
        self.made_of: Mapping[str, str] = {"address": str(chat.spec)} | (
            {"replies": "held to a schema"} if held else {}
        )
        self.accounting: Accounting | None = chat.accounting
        self._chat = chat
        self._held = held
        self._urls: DataUrls | None = None if pictures is None else DataUrls(pictures, chat.settings)

    def ask(self, requests: Sequence[Request], readable: Readable) -> Iterator[Reply]:
        """Yield the replies as they come, several requests at a time.

        Raises:
            UserError: it makes no sense to ask on.
        """
        from unmirage.models.endpoint import in_threads

        work = [(request, readable) for request in requests]
        yield from in_threads(self._ask, work, self._chat.settings.concurrency)

    def _ask(self, item: tuple[Request, Readable], stop: threading.Event) -> Reply:
        from unmirage.models.endpoint import ChatFailure, user_message

        request, readable = item
        try:
            picture = self._urls.url(request.image) if self._urls is not None and request.image is not None else None
        except UserError as error:
            return Reply(request, None, str(error))
        messages = [{"role": "system", "content": request.system}, user_message(request.text, picture)]
        seed = int(request.key[-7:], 16)
        form = _form(request.schema) if self._held and request.schema is not None else None
        for temperature in TEMPERATURES:
            try:
                reply = self._chat.complete(messages, _MOST_TOKENS, temperature, seed, stop, form).text
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
        self.accounting: Accounting | None = None
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


def _form(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema as OpenAI's API takes it, and the servers that follow it."""
    return {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": schema}}


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
