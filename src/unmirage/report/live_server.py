"""Serve the pages of runs on the loopback, read-only, while they are written."""

from __future__ import annotations

import errno
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from unmirage.errors import UserError
from unmirage.report.live import LiveRun
from unmirage.report.live_page import live_page, message_page
from unmirage.run import Run

log = logging.getLogger(__name__)
HOST, PORT = "127.0.0.1", 8421
_REPORT = "/report/"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = False

    def __init__(self, port: int, runs: Sequence[LiveRun]) -> None:
        self.runs = runs
        super().__init__((HOST, port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "unmirage"
    sys_version = ""
    timeout: ClassVar[float] = 30.0

    def do_GET(self) -> None:
        self._send(body=True)

    def do_HEAD(self) -> None:
        self._send(body=False)

    def _send(self, *, body: bool) -> None:
        status, page = self._answer()
        data = page.encode("utf-8", "replace")
        self.send_response(status)
        for name, value in {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(data)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def _answer(self) -> tuple[HTTPStatus, str]:
        port = self.server.server_address[1]
        # Another site could let its name point here, and read the responses.
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            return HTTPStatus.FORBIDDEN, message_page(f"Open http://{HOST}:{port}/ instead.")
        path, still = urlsplit(self.path).path, urlsplit(self.path).query == "still"
        try:
            if path == "/":
                return HTTPStatus.OK, live_page([run.state() for run in self.server.runs], still=still)
            number = path.removeprefix(_REPORT)
            if path.startswith(_REPORT) and number.isdecimal() and int(number) < len(self.server.runs):
                return HTTPStatus.OK, self.server.runs[int(number)].page()
        except UserError as error:
            return HTTPStatus.SERVICE_UNAVAILABLE, message_page(str(error))
        return HTTPStatus.NOT_FOUND, message_page("There is no such page.")

    def log_message(self, format: str, *args: object) -> None:
        """Log requests at level DEBUG only."""
        log.debug(format, *args)


@contextmanager
def serving(runs: Sequence[Run], port: int | None = None) -> Iterator[tuple[str, Callable[[], None]]]:
    """Serve runs inside the block; yield the address, and a function that serves until it is interrupted.

    Args:
        runs: the runs; nothing is written to them.
        port: port on the loopback; None for 8421, or a free one if that is in use.

    Raises:
        UserError: the port is in use or not allowed, or a run cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="unmirage-view-") as folder:
        live = []
        for number, run in enumerate(runs):
            place = Path(folder) / str(number)
            place.mkdir()
            live.append(LiveRun(run, place))
        for one in live:
            one.state()
        server = _bound(port, live)
        try:
            yield f"http://{HOST}:{server.server_address[1]}/", server.serve_forever
        finally:
            server.server_close()


def _bound(port: int | None, runs: Sequence[LiveRun]) -> _Server:
    try:
        return _Server(PORT if port is None else port, runs)
    except OSError as error:
        if port is None and error.errno == errno.EADDRINUSE:
            return _Server(0, runs)
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise UserError(f"--port {port}: {reason}; name another, or leave it out for a free one") from error
