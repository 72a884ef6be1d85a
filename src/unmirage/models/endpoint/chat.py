"""Send chat messages to a model on a server, with retries, rate limits and accounting. Thread-safe."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from unmirage.errors import UserError
from unmirage.models.conversation import Conversation, messages
from unmirage.models.endpoint.accounting import Accounting
from unmirage.models.endpoint.client import Trouble
from unmirage.models.endpoint.completion import Completion, read_completion
from unmirage.models.endpoint.parameters import LIMIT, NEW_LIMIT, Parameters
from unmirage.models.endpoint.spec import EndpointSettings, EndpointSpec, api_key
from unmirage.models.endpoint.workers import CalledOff
from unmirage.records import Ended

log = logging.getLogger(__name__)


class Pace:
    """Spaces requests evenly over all threads, and delays all of them if the server asks for it."""

    def __init__(self, per_minute: float | None) -> None:
        self._gap = 0.0 if per_minute is None else 60 / per_minute
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self, stop: threading.Event | None) -> None:
        """Wait for the next free slot and reserve it."""
        with self._lock:
            start = max(time.monotonic(), self._next)
            self._next = start + self._gap
        pause(start - time.monotonic(), stop)

    def hold(self, seconds: float) -> None:
        """Delay all requests by at least `seconds`."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


def pause(seconds: float, stop: threading.Event | None) -> None:
    """Sleep, but end early when `stop` is set.

    Raises:
        CalledOff: `stop` is set.
    """
    if stop is None:
        time.sleep(max(0.0, seconds))
    elif stop.wait(max(0.0, seconds)):
        raise CalledOff


def backoff(base: float, attempt: int, longest: float) -> float:
    """Return the delay in seconds before retry `attempt` (from 0): exponential backoff with random jitter."""
    wait: float = min(longest, base * 2 ** min(attempt, 30))
    return wait * random.uniform(0.5, 1)


Message = Mapping[str, Any]

_IDENTICAL = 3  # identical permanent errors of a server without any response yet that stop the run
_LOADING, _LOADING_STEP = 900.0, 5.0  # seconds to wait while a server loads its model, in all and between requests

_REMEDIES = {
    401: "set a valid key in the environment variable {key}",
    403: "the key in {key} has no access to model '{model}'",
    404: "check the base URL, which often ends in /v1, and the model name",
}


class ChatFailure(Exception):  # noqa: N818 - affects one question only
    """A question failed after all retries. The message is one line, without secrets and without the question."""


class Poster(Protocol):
    """Sends one request and returns the body of the response, or raises `Trouble`."""

    def post(self, body: Mapping[str, Any], /) -> str:
        """Return the body of the server's response."""
        ...


@dataclass(slots=True)
class _Kind:
    """The requests with pictures, or those without: whether one has succeeded, and the errors before."""

    works: bool = False
    first: threading.Lock = field(default_factory=threading.Lock)
    errors: list[str] = field(default_factory=list)


class Chat:
    """A model on an OpenAI-compatible server.

    Transient failures (429, 5xx, timeouts, broken connections, invalid bodies) are retried with backoff. A request or
    response that a content filter blocks is a response without text. Parameters that the model does not support are
    left out from then on; see `Parameters`. A question that still fails raises `ChatFailure`. A failure that affects
    all questions raises `UserError`: no connection, 401, 403, 404 or three identical permanent errors before the first
    response, many failures in a row, or a model that takes no pictures. Requests with pictures and those without have
    a first response each.
    """

    def __init__(
        self, spec: EndpointSpec, settings: EndpointSettings | None = None, client: Poster | None = None
    ) -> None:
        self.spec = spec
        self.settings = settings or EndpointSettings()
        self.accounting = Accounting(self.settings.price_in, self.settings.price_out)
        self._client = client or _client(spec, self.settings)
        self._parameters = Parameters(self.settings.extra, spec.url)
        self.accounting.notes = self._parameters.notes
        self._pace = Pace(self.settings.requests_per_minute)
        # A server may answer texts and reject every picture, so each kind of request has to work once.
        self._kinds = {has_pictures: _Kind() for has_pictures in (False, True)}
        self._worked = False
        self._in_a_row = 0

    def resume(self) -> None:
        """Note that the server answered in an earlier run; the questions left may be those that it rejects."""
        self._worked = True

    def complete(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        temperature: float = 0,
        seed: int | None = None,
        stop: threading.Event | None = None,
        response_format: Mapping[str, Any] | None = None,
    ) -> Completion:
        """Return the model's response to `messages`.

        Args:
            messages: {"role": ..., "content": ...}; see `user_message`.
            max_tokens: maximum tokens of the response.
            temperature: 0 is greedy.
            seed: for servers that support seeds.
            stop: once set, no more requests are sent, and waits end with `CalledOff`.
            response_format: format that the server must enforce, for servers that support it.

        Raises:
            ChatFailure: this question failed.
            UserError: all other questions would fail too.
        """
        limit = NEW_LIMIT if self.spec.is_openai else LIMIT
        body = {"model": self.spec.model, "messages": list(messages), limit: max_tokens, "temperature": temperature}
        body |= {} if seed is None else {"seed": seed}
        body |= {} if response_format is None else {"response_format": response_format}
        if {LIMIT, NEW_LIMIT} & self.settings.extra.keys():
            del body[limit]
        body = {name: value for name, value in (body | self.settings.extra).items() if value is not None}
        kind = self._kinds[has_pictures(messages)]
        if not kind.works:
            # One request at a time until the first response: a wrong key costs one request, not one per thread.
            with kind.first:
                if not kind.works:
                    try:
                        return self._answered(body, kind, stop)
                    except UserError:
                        if stop is not None:
                            stop.set()  # so that the threads that wait for their turn end too
                        raise
        return self._answered(body, kind, stop)

    @property
    def _works(self) -> bool:
        return any(kind.works for kind in self._kinds.values())

    def _answered(self, body: Mapping[str, Any], kind: _Kind, stop: threading.Event | None) -> Completion:
        try:
            found = self._persist(body, kind, stop)
        except Trouble as trouble:
            self.accounting.gave_up()
            self._stop_if_hopeless(trouble, kind)
            raise ChatFailure(trouble.reason) from None
        kind.works = True
        self._in_a_row = 0
        return found

    def _persist(self, body: Mapping[str, Any], kind: _Kind, stop: threading.Event | None) -> Completion:
        attempt, is_again = 0, False
        started = time.monotonic()
        while True:
            sent = self._parameters.fitted(body)
            self._pace.wait(stop)
            self.accounting.sent(again=is_again)
            is_again = True
            try:
                found = read_completion(self._client.post(sent))
            except Trouble as trouble:
                if trouble.is_block:
                    self.accounting.declined()
                    return Completion(text="", ended=Ended.CONTENT_FILTER)
                if self._parameters.learn(trouble, sent):
                    continue
                if trouble.is_loading and time.monotonic() - started < _LOADING:
                    self._wait_for_model(trouble, stop)
                    continue
                if attempt == self.settings.retries or not self._is_worth_another(trouble, kind, attempt):
                    raise
                if trouble.wait:
                    self._pace.hold(trouble.wait)
                delay = backoff(self.settings.backoff, attempt, self.settings.longest_wait)
                pause(max(trouble.wait or 0, delay), stop)
                attempt += 1
                continue
            self.accounting.answered(found.prompt_tokens, found.tokens, found.model, asked=self.spec.model)
            if found.is_blocked:
                self.accounting.declined()
            return found

    def _wait_for_model(self, trouble: Trouble, stop: threading.Event | None) -> None:
        log.info("endpoint %s: %s; waiting", self.spec.url, trouble.reason)
        pause(min(self.settings.backoff * _LOADING_STEP, _LOADING_STEP), stop)

    def _is_worth_another(self, trouble: Trouble, kind: _Kind, attempt: int) -> bool:
        if self._is_blind(trouble, kind):
            return False
        if not self._works and trouble.unreachable:
            return False
        if not kind.works and attempt and not trouble.is_patient and not trouble.unreachable:
            return False
        return trouble.passing and (trouble.wait or 0) <= self.settings.longest_wait

    def _is_blind(self, trouble: Trouble, kind: _Kind) -> bool:
        return kind is self._kinds[True] and not kind.works and trouble.is_blind

    def _stop_if_hopeless(self, trouble: Trouble, kind: _Kind) -> None:
        where = f"endpoint {self.spec.url}"
        works, status = self._works, trouble.status
        if self._is_blind(trouble, kind):
            raise UserError(
                f"{where}: {trouble.reason}; the model does not take pictures, so no query with a picture can be "
                "asked. Serve a model with vision (llama.cpp also needs --mmproj), or use data without pictures"
            ) from None
        if not works and trouble.unreachable:
            raise UserError(f"{where}: {trouble.reason}; check the URL and that the server is running") from None
        if not works and status is not None and 300 <= status < 400:
            raise UserError(f"{where}: {trouble.reason}; redirects are not followed, use the final URL") from None
        if not works and status in _REMEDIES:
            remedy = _REMEDIES[status].format(key=" or ".join(self.spec.key_variables), model=self.spec.model)
            raise UserError(f"{where}: {trouble.reason}; {remedy}") from None
        if not kind.works and not self._worked and not trouble.is_patient and not trouble.unreachable:
            self._stop_if_identical(trouble, kind)
        # A working server may reject single questions.
        if (works or self._worked) and not trouble.passing:
            return
        self._in_a_row += 1
        if self._in_a_row >= self.settings.give_up_after:
            raise UserError(
                f"{where}: {self._in_a_row} requests in a row failed, the last one with: {trouble.reason}; "
                f"run the same command again to resume"
            ) from None

    def _stop_if_identical(self, trouble: Trouble, kind: _Kind) -> None:
        """Stop at the third question in a row with the same error; `complete` asks one at a time until it succeeds."""
        same = {*kind.errors, trouble.kind} == {trouble.kind}
        kind.errors = [*kind.errors, trouble.kind] if same else [trouble.kind]
        if len(kind.errors) >= _IDENTICAL:
            about = " to a query with a picture" if kind is self._kinds[True] and self._works else ""
            log_hint = "; see the server's log" if (trouble.status or 0) >= 500 else ""
            raise UserError(
                f"endpoint {self.spec.url}: {_IDENTICAL} requests failed with the same error before any response"
                f"{about}, {trouble.reason}{log_hint}"
            ) from None


def has_pictures(messages: Sequence[Message]) -> bool:
    """Return whether a message has a picture."""
    contents = [content for one in messages if isinstance(content := one.get("content"), list)]
    return any(part.get("type") == "image_url" for content in contents for part in content)


def user_message(text: str, pictures: Sequence[str] = ()) -> dict[str, Any]:
    """Return a user turn: the data URLs of images, if any, and then the text."""
    return chat_messages(Conversation(text, places=(0,) * len(pictures)), pictures)[0]


def chat_messages(conversation: Conversation, pictures: Sequence[str]) -> list[dict[str, Any]]:
    """Return all turns of a conversation with `image_url` parts; `pictures` are the data URLs of all images, in order.

    A turn without images has a plain string as content. Lone surrogates, which JSON cannot represent, become "?".
    """
    urls = iter(pictures)
    return [{"role": turn["role"], "content": _content(turn["content"], urls)} for turn in messages(conversation)]


def _content(parts: Sequence[Mapping[str, str]], urls: Iterator[str]) -> str | list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": next(urls)}}
        if part["type"] == "image"
        else {"type": "text", "text": part["text"].encode("utf-8", "replace").decode("utf-8")}
        for part in parts
    ]
    return found[0]["text"] if len(found) == 1 and found[0]["type"] == "text" else found


def _client(spec: EndpointSpec, settings: EndpointSettings) -> Poster:
    try:
        from unmirage.models.endpoint.client import Client
    except ImportError as error:
        raise UserError(f"endpoints need the '{error.name}' package. Install it: pip install {error.name}") from None
    return Client(spec, api_key(spec), settings)
