"""Send judge requests to a server or a local model, and cache the replies."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.models.base import VLM, GenerationConfig
from unmirage.records import Ended, Kind, Placed, Query, Response
from unmirage.run.cache import TextCache
from unmirage.text.replies import json_values
from unmirage.text.thoughts import final_answer, settled

if TYPE_CHECKING:
    from unmirage.models.endpoint import Accounting, Chat
    from unmirage.models.endpoint.data_urls import DataUrls


def key_of(*parts: object) -> str:
    """Return a SHA-256 hash of `parts`, which identify a request and its judge."""
    return sha256(json.dumps(parts).encode()).hexdigest()


def code_of(key: str) -> str:
    """Return the code that a valid reply must contain.

    The code depends on a hash of the judged response, so the response itself cannot contain it.
    """
    return key[:8]


def read_coded(reply: str, code: str) -> list[dict[str, Any]]:
    """Return the JSON objects in the final answer of a reply that contain the right `code`; ignore all other text."""
    return [one for one in json_values(final_answer(reply), "{") if one.get("code") == code]


def the_one(values: Sequence[Any]) -> Any:
    """Return the common value if all values are equal; None if they differ or there are none."""
    return values[0] if values and all(value == values[0] for value in values) else None


def as_data(**fields: str) -> str:
    """Encode texts as one JSON object, so that their content cannot terminate the data block."""
    return json.dumps(fields, ensure_ascii=False)


# One request per temperature, until a reply is readable.
TEMPERATURES = (0.0, 0.5)
MOST_TOKENS = 1024  # reasoning models need many tokens before the verdict
UNREADABLE = "the judge's reply contains no readable verdict"
_BLOCKED = {
    Ended.CONTENT_FILTER: "the judge's own content filter blocked the request or the reply",
    Ended.REFUSAL: "the judge's server declined to reply",
}


def why_unreadable(text: str, ended: Ended) -> str:
    """Return why a reply has no verdict, from its final answer and how it ended."""
    if ended is Ended.LENGTH:
        place = "" if text.strip() else " inside its thoughts"
        return f"the token limit ended the judge's reply{place}; raise --judge-max-tokens"
    return UNREADABLE


@dataclass(frozen=True, slots=True)
class Request:
    """A request about one response.

    Attributes:
        key: identifies the request and the judge.
        system: system prompt; "" for none.
        text: user turn.
        images: shown before the text, in order.
        schema: JSON schema of the reply.
        answer: assistant turn after the user turn, for guard models that judge the last turn; None for none.
        raw: the whole prompt, for local guard models without a chat template of their own.
        max_tokens: maximum new tokens of the reply; None for the limit of the asker.
        temperatures: one attempt per temperature, until a reply is readable.
    """

    key: str
    system: str
    text: str
    images: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    answer: str | None = None
    raw: str | None = None
    max_tokens: int | None = None
    temperatures: tuple[float, ...] = TEMPERATURES


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to a request: a readable text, or None and the reason."""

    request: Request
    text: str | None
    why: str = ""


Readable = Callable[[Request, str], bool]


class Served:
    """The model that replies on a server. All replies must be from the same one, because judges differ.

    Args:
        address: the server, for the error.
    """

    def __init__(self, address: str) -> None:
        self.name: str | None = None
        self._address = address
        self._lock = threading.Lock()

    def check(self, name: str | None) -> None:
        """Compare the server's name of the model with that of earlier replies; None and "" say nothing.

        Raises:
            UserError: another model replied before.
        """
        with self._lock:
            self.name = self.name or name
            if name and name != self.name:
                raise UserError(
                    f"{self._address}: the server replied as '{self.name}' before and as '{name}' now. Restore the "
                    "first model, or judge with the new one under its own name: endpoint:URL#NAME"
                )


class Asker(Protocol):
    """A language model that replies to judge requests.

    Attributes:
        name: name of the model.
        fingerprint: properties that identify the model.
        accounting: requests, tokens and cost of a server; None for a local model.
        served: the model that replies on a server; None for a local model.
    """

    name: str
    fingerprint: Mapping[str, str]
    accounting: Accounting | None
    served: Served | None

    def resume(self) -> None:
        """Note that the judge has replied in an earlier run."""
        ...

    def ask(self, requests: Sequence[Request], readable: Readable) -> Iterator[Reply]:
        """Yield one reply to each request, in any order."""
        ...


class CachedAsker:
    """Caches the readable replies of an asker, so that a resumed run sends only the remaining requests.

    Args:
        asker: asker to cache.
        path: cache file.
    """

    def __init__(self, asker: Asker, path: Path) -> None:
        self.name = asker.name
        self.fingerprint = asker.fingerprint
        self.accounting = asker.accounting
        self.served = asker.served
        self._asker = asker
        self._path = path

    def resume(self) -> None:
        """Note that the judge has replied in an earlier run."""
        self._asker.resume()

    def ask(self, requests: Sequence[Request], readable: Readable) -> Iterator[Reply]:
        """Yield cached replies, then new replies as they arrive. Each new reply is cached before it is yielded."""
        with TextCache(self._path) as cache:
            named = key_of("served", sorted(self.fingerprint.items()))
            if self.served is not None:
                self.served.check(cache.get(named))
            missing = []
            for request in requests:
                kept = cache.get(request.key)
                if kept is not None and readable(request, kept):
                    yield Reply(request, kept)
                else:
                    missing.append(request)
            for found in self._asker.ask(missing, readable) if missing else ():
                if self.served is not None and self.served.name is not None and cache.get(named) is None:
                    cache.put(named, self.served.name)
                if found.text is not None:
                    cache.put(found.request.key, found.text)
                yield found


def remembering(asker: Asker, path: Path | None) -> Asker:
    """Return the asker with a cache in `path`, or unchanged if `path` is None."""
    return asker if path is None else CachedAsker(asker, path)


class EndpointAsker:
    """A model on a server.

    Args:
        chat: chat connection to the model.
        pictures: images of the requests; None sends no images.
        held: whether to send the JSON schema of the reply. It is left out if the server does not support schemas.
        max_tokens: maximum tokens of a reply.
    """

    def __init__(
        self, chat: Chat, pictures: Pictures | None = None, *, held: bool = False, max_tokens: int = MOST_TOKENS
    ) -> None:
        from unmirage.models.endpoint.data_urls import DataUrls

        self.name = chat.spec.model
        options = json.dumps(chat.settings.extra, sort_keys=True) if chat.settings.extra else ""
        self.fingerprint: Mapping[str, str] = (
            {"address": str(chat.spec)}
            | ({"replies": "held to a schema"} if held else {})
            | ({"options": options} if options else {})
        )
        self.accounting: Accounting | None = chat.accounting
        self.served: Served | None = Served(str(chat.spec))
        self._chat = chat
        self._held = held
        self._max_tokens = max_tokens
        self._urls: DataUrls | None = None if pictures is None else DataUrls(pictures, chat.settings, chat.accounting)

    def resume(self) -> None:
        """Note that the server has replied in an earlier run."""
        self._chat.resume()

    def ask(self, requests: Sequence[Request], readable: Readable) -> Iterator[Reply]:
        """Yield the replies as they arrive, with several requests in parallel.

        Raises:
            UserError: the server cannot process any further requests.
        """
        from unmirage.models.endpoint import in_threads

        work = [(request, readable) for request in requests]
        yield from in_threads(self._ask, work, self._chat.settings.concurrency)

    def _ask(self, item: tuple[Request, Readable], stop: threading.Event) -> Reply:
        from unmirage.models.endpoint import ChatFailure, user_message

        request, readable = item
        try:
            pictures = [self._urls.url(image) for image in request.images] if self._urls is not None else []
        except UserError as error:
            return Reply(request, None, str(error))
        messages = [{"role": "system", "content": request.system}] if request.system else []
        messages.append(user_message(request.text, pictures))
        if request.answer is not None:
            messages.append({"role": "assistant", "content": user_message(request.answer)["content"]})
        seed = int(request.key[-7:], 16)
        form = _form(request.schema) if self._held and request.schema is not None else None
        for temperature in request.temperatures:
            try:
                most = request.max_tokens or self._max_tokens
                found = self._chat.complete(messages, most, temperature, seed, stop, form)
            except ChatFailure as failure:
                return Reply(request, None, str(failure))
            if found.is_blocked:
                return Reply(request, None, _BLOCKED[found.ended])
            assert self.served is not None
            self.served.check(found.model)
            if readable(request, found.text):
                return Reply(request, found.text)
        return Reply(request, None, why_unreadable(final_answer(found.text), found.ended))


class LocalAsker:
    """A local vision-language model with greedy decoding.

    Args:
        vlm: the model.
        fingerprint: properties that identify the model.
        pictures: images of the requests.
        batch_size: requests per batch; None uses the largest batch that fits in memory.
        max_tokens: maximum tokens of a reply.
    """

    def __init__(
        self,
        vlm: VLM,
        fingerprint: Mapping[str, str],
        pictures: Pictures,
        batch_size: int | None = None,
        max_tokens: int = MOST_TOKENS,
    ) -> None:
        self.name = vlm.name
        self.fingerprint = fingerprint
        self.accounting: Accounting | None = None
        self.served: Served | None = None
        self._vlm = vlm
        self._pictures = pictures
        self._config = GenerationConfig(max_new_tokens=max_tokens, batch_size=batch_size)

    def resume(self) -> None:
        """Do nothing: a local model has no connection to resume."""

    def ask(self, requests: Sequence[Request], readable: Readable) -> Iterator[Reply]:
        """Yield the replies batch by batch.

        The system text is part of the user turn, because not every chat template supports a system turn.
        """
        by_key = {request.key: request for request in requests}
        for found in self._vlm.answer([_as_query(request) for request in requests], self._pictures, self._config):
            request = by_key[found.query_id]
            if not isinstance(found, Response):
                yield Reply(request, None, found.reason)
                continue
            answer = settled(found)
            if readable(request, answer.text):
                yield Reply(request, answer.text)
            else:
                yield Reply(request, None, why_unreadable(answer.text, answer.ended))


def _form(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema in the format of the OpenAI API."""
    return {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": schema}}


def _as_query(request: Request) -> Query:
    return Query(
        id=request.key,
        sample_id=request.key,
        kind=Kind.PLAIN,
        shot=0,
        text=f"{request.system}\n\n{request.text}",
        image=next(iter(request.images), None),
        images=tuple(Placed(image, 0) for image in request.images) if len(request.images) > 1 else (),
        unsafe=False,
    )
