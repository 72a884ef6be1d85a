"""A chat-completions server on 127.0.0.1 whose answers, and failures, a test decides request by request."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from unmirage.models.endpoint import EndpointSettings, EndpointVLM


def completion(text, *, why="stop", usage=(700, 3), **message) -> tuple[int, dict, str]:
    """Return status, headers and body of a good answer; its prompt has more tokens than the text of a query."""
    counts = {} if usage is None else {"usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1]}}
    choice = {"index": 0, "finish_reason": why, "message": {"role": "assistant", "content": text, **message}}
    return 200, {}, json.dumps({"object": "chat.completion", "choices": [choice], **counts})


def failure(status, message="no", headers=None) -> tuple[int, dict, str]:
    return status, headers or {}, json.dumps({"error": {"message": message}})


class Stub:
    """The server. `reply(number, body)` returns (status, headers, body), "hang", "close" or "drip"."""

    def __init__(self) -> None:
        self.reply: Callable = lambda number, body: completion("Yes.")
        self.requests: list[dict] = []
        self.headers: list[dict] = []
        self.times: list[float] = []
        self.busy = self.busiest = 0
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(stub):  # noqa: N805 - self is the request's handler below
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with stub._lock:
                    stub.requests.append(body | {"path": self.path})
                    stub.headers.append({name.lower(): value for name, value in self.headers.items()})
                    stub.times.append(time.monotonic())
                    number = len(stub.requests) - 1
                    stub.busy += 1
                    stub.busiest = max(stub.busiest, stub.busy)
                try:
                    reply = stub.reply(number, body)
                finally:
                    with stub._lock:
                        stub.busy -= 1
                self.close_connection = isinstance(reply, str)
                if reply == "hang":
                    stub.released.wait(30)
                elif reply == "drip":
                    self.drip()
                elif reply != "close":
                    self.send(*reply)

            def send(self, status, headers, body):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def drip(self):
                self.send_response(200)
                self.send_header("content-length", "1000")
                self.end_headers()
                for _ in range(1000):
                    if stub.released.wait(0.02):
                        return
                    self.wfile.write(b" ")
                    self.wfile.flush()

            def log_message(self, *_):
                pass

        return Handler


@contextmanager
def served(server, monkeypatch):
    """Let a test reach a server on this machine, without keys or proxies of its own; stop it in the end."""
    for name in ("UNMIRAGE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def stub(monkeypatch) -> Iterator[Stub]:
    """Return a server that says "Yes." unless told otherwise."""
    with served(Stub(), monkeypatch) as server:
        yield server


@pytest.fixture
def fast() -> Callable:
    """Return settings that lose no time."""
    return lambda **options: EndpointSettings(**({"backoff": 0.005, "timeout": 5} | options))


@pytest.fixture
def vlm(stub, fast) -> Callable:
    """Return a function that connects to the server with the settings given."""
    return lambda **options: EndpointVLM.connect(f"endpoint:{stub.url}#tiny/vlm", settings=fast(**options))


@pytest.fixture
def answers() -> Callable:
    return completion


@pytest.fixture
def fails() -> Callable:
    return failure
