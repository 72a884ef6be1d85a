"""HTTP client: send one request, and return the body of the response or raise `Trouble`.

Built on the `openai` client, with its defaults restricted. It makes no retries: `Chat` counts, limits and cancels
them. It never gets the key, and it sends no headers from the environment.
"""

from __future__ import annotations

import email.utils
import json
import re
import signal
import ssl
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import Any, cast

import httpx2
import openai

from unmirage.models.endpoint.rejections import is_blind, is_block, message_of
from unmirage.models.endpoint.spec import EndpointSettings, EndpointSpec
from unmirage.text.printable import short

# Timeout, conflict, too early, too many requests; server errors (5xx) are transient too.
PASSING = frozenset({408, 409, 425, 429})
_BUSY = PASSING | {502, 503, 504, 529}
_IDENTIFIER = re.compile(r"\b(?:\w+[_-])?[0-9a-f]{8,}(?:-[0-9a-f]+)*\b|\breq_\w+")
_TOO_LARGE = 413


@dataclass(eq=False)
class Trouble(Exception):  # noqa: N818 - not an error yet: the request may be retried
    """A request without a usable response.

    Attributes:
        reason: one line, without secrets.
        passing: whether a retry may succeed.
        status: HTTP status; None if there is none, or if it was not the cause.
        wait: seconds to wait, as the server requests.
        unreachable: whether no connection was made.
        malformed: whether the response is not a chat completion; all responses of such a server may be like that.
        document: the body of the error, if it is JSON.
    """

    reason: str
    _: KW_ONLY
    passing: bool = True
    status: int | None = None
    wait: float | None = None
    unreachable: bool = False
    malformed: bool = False
    document: Any = None

    @property
    def is_block(self) -> bool:
        """Return whether a content filter rejected the request."""
        return is_block(self.document, self.status)

    @property
    def is_blind(self) -> bool:
        """Return whether the server says that its model does not take pictures."""
        return not self.unreachable and is_blind(self.reason)

    @property
    def is_patient(self) -> bool:
        """Return whether a server that works may fail like this for a while: it is busy, or starts."""
        return self.passing and not self.malformed and (self.status is None or self.status in _BUSY)

    @property
    def is_loading(self) -> bool:
        """Return whether the server is still loading the model, as llama.cpp says."""
        return self.status == 503 and "loading model" in self.reason.lower()

    @property
    def kind(self) -> str:
        """Return what identical errors have in common: status and beginning of the message, without identifiers."""
        return _IDENTIFIER.sub("", self.reason)[:60]


# Only these headers are sent: `OPENAI_ORG_ID` and the like are for OpenAI, and platform headers disclose the machine.
_HEADERS = frozenset(
    "host accept accept-encoding connection content-type content-length transfer-encoding "
    "x-stainless-raw-response".split()  # the client reads it again when the response arrives
)
_SMALLER = "; send smaller pictures: --picture-longest-side 1024 or --picture-format jpeg"
_CONNECT = 10.0
_MAX_BODY = 16_000_000
_REASON = 300


class Client:
    """Sends chat requests to one server, without retries."""

    def __init__(self, spec: EndpointSpec, key: str | None, settings: EndpointSettings) -> None:
        def only_ours(request: httpx2.Request) -> None:
            for name in set(request.headers) - _HEADERS:
                del request.headers[name]
            request.headers["user-agent"] = "unmirage"
            if key:
                request.headers["authorization"] = f"Bearer {key}"

        ignore_sigpipe()
        self._timeout = settings.timeout
        timeout = httpx2.Timeout(settings.timeout, connect=min(_CONNECT, settings.timeout))
        self._hidden = key
        http = httpx2.Client(
            follow_redirects=False,  # a redirect would send the queries to a host that the user did not choose
            timeout=timeout,
            verify=_trusted(),
            limits=httpx2.Limits(max_connections=None),
            event_hooks={"request": [only_ours]},
        )
        self._openai = openai.OpenAI(
            base_url=spec.url, api_key="none", max_retries=0, timeout=timeout, http_client=http
        )
        # Keep connections open between requests, for as long as the client exists.
        weakref.finalize(self, http.close).atexit = False

    def __repr__(self) -> str:
        return "Client()"

    def post(self, body: Mapping[str, Any]) -> str:
        """Return the body of the server's response to one chat request.

        Raises:
            Trouble: there is no response, or its status is an error.
        """
        started = time.monotonic()
        try:
            return self._without_key(self._read(body, started + self._timeout))
        except openai.APIStatusError as error:
            # OpenAI also uses status 429 for accounts without credit.
            passing = error.code != "insufficient_quota" and (error.status_code in PASSING or error.status_code >= 500)
            document = _document(error.response)
            said = f"HTTP {error.status_code}: {message_of(document) or error.response.text or 'no message'}"
            hint = _SMALLER if error.status_code == _TOO_LARGE else ""
            raise Trouble(
                f"{self._line(said)}{hint}",
                status=error.status_code,
                document=document,
                passing=passing,
                wait=_wait(error.response.headers.get("retry-after")),
            ) from None
        except (openai.OpenAIError, httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            raise self._broken(error) from None

    def _read(self, body: Mapping[str, Any], deadline: float) -> str:
        """Read in chunks: a server that sends a byte from time to time would never time out otherwise."""
        create = self._openai.chat.completions.with_streaming_response.create
        fields = dict(body)
        with create(
            model=fields.pop("model"), messages=fields.pop("messages"), extra_body=cast(object, fields)
        ) as answer:
            found = bytearray()
            for piece in answer.iter_bytes():
                found += piece
                if time.monotonic() > deadline:
                    raise self._too_slow()
                if len(found) > _MAX_BODY:
                    raise Trouble(f"the server's response is longer than {_MAX_BODY:,} bytes", passing=False)
        return found.decode("utf-8", "replace")

    def _too_slow(self) -> Trouble:
        return Trouble(f"no response within {self._timeout:g} s")

    def _broken(self, error: BaseException) -> Trouble:
        cause = error.__cause__ or error
        unreachable = isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout)
        if not unreachable and isinstance(cause, httpx2.TimeoutException):
            return self._too_slow()
        what = "no connection" if unreachable else "the connection was interrupted"
        return Trouble(self._line(f"{what} ({str(cause) or type(cause).__name__})"), unreachable=unreachable)

    def _line(self, text: str) -> str:
        return short(self._without_key(text), _REASON)

    def _without_key(self, text: str) -> str:
        """Remove the key from a text: servers quote keys in their messages."""
        return text.replace(self._hidden, "[hidden]") if self._hidden else text


def ignore_sigpipe() -> None:
    """Ignore SIGPIPE, so that a server that hangs up during a request raises an error and does not end the process.

    Python ignores it by default. The command line resets it, so that `unmirage audit ... | head` ends silently.
    """
    in_main = threading.current_thread() is threading.main_thread()  # only that thread can set it
    if in_main and hasattr(signal, "SIGPIPE") and signal.getsignal(signal.SIGPIPE) is signal.SIG_DFL:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)


@cache
def _trusted() -> ssl.SSLContext:
    """Return the TLS context; cached, because loading all certificates is slow."""
    return httpx2.create_ssl_context()


def _document(response: httpx2.Response) -> Any:
    """Return the body of an error, or None if it is not JSON."""
    try:
        return json.loads(response.text)
    except (ValueError, RecursionError):
        return None


def _wait(header: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which holds a number or a date."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
