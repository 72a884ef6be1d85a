"""Messages between the processes of a launcher, over local sockets.

The main process listens, and notices at once if another process ends, since its socket closes.
"""

from __future__ import annotations

import itertools
import logging
import queue
import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener, wait
from typing import Any

from torch.distributed.rendezvous import rendezvous

from unmirage.errors import UserError
from unmirage.models.base import GenerationConfig
from unmirage.records import Failure, Query, Response
from unmirage.run.launch import Launch

log = logging.getLogger(__name__)
# Where the main process writes the address of its next group, and the others read it: a script may attack repeatedly.
_ADDRESSES = (f"unmirage/attack/{number}" for number in itertools.count())
# The main process plans first, and may ask a rewriter for every query.
_PATIENCE = timedelta(hours=12)
# Loading a large model in all processes at once, from one disk.
_GREETING = 1800.0
AGAIN = "finished work is kept. Run the same command again to resume"


class LostProcessError(UserError):
    """A process of the group failed or ended, so the command ends; it can be resumed."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A process has loaded its model."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A process has failed, for this reason; without one, it ended without a word. `trace` is that of a bug."""

    reason: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """Queries for one process. The number tells responses apart from those to an earlier, abandoned ask."""

    number: int
    queries: Sequence[Query]
    config: GenerationConfig


@dataclass(frozen=True, slots=True)
class Answer:
    """One response to an ask."""

    number: int
    found: Response | Failure


@dataclass(frozen=True, slots=True)
class Done:
    """All queries of an ask are answered; `told` are the messages logged since the last one."""

    number: int
    told: Sequence[tuple[int, str]]


class Group:
    """The main process's connections to the others."""

    def __init__(self, launch: Launch) -> None:
        self.size = launch.size
        key = secrets.token_bytes(32)
        self._listener = Listener(("127.0.0.1", 0), authkey=key, backlog=launch.size)
        _store(launch).set(next(_ADDRESSES), f"{self._listener.address[1]} {key.hex()}")
        self._peers: dict[int, Connection[Any, Any]] = {}
        self._inbox: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._asks = 0
        self._told: dict[str, tuple[int, int]] = {}
        self._seen = Heard()
        self.lost = ""
        threading.Thread(target=self._listen, daemon=True).start()

    def greet(self) -> None:
        """Wait until all other processes have loaded their models."""
        waiting = set(range(1, self.size))
        while waiting:
            try:
                rank, message = self._inbox.get(timeout=_GREETING)
            except queue.Empty:
                late = ", ".join(map(str, sorted(waiting)))
                raise LostProcessError(f"process {late} has not loaded the model after {_GREETING:.0f} s") from None
            self._check(message)
            waiting.discard(rank)

    def ask(self, shares: Sequence[Sequence[Query]], config: GenerationConfig) -> int:
        """Send each of the other processes its queries; return the number of this ask."""
        self._asks += 1
        for rank, share in enumerate(shares, start=1):
            self._send(rank, Ask(self._asks, share, config))
        return self._asks

    def merged(self, number: int, own: Iterator[Response | Failure]) -> Iterator[Response | Failure]:
        """Yield the responses of this process and of the others, as they come."""
        busy = set(self._peers)
        for one in own:
            yield one
            while not self._inbox.empty():
                yield from self._taken(number, busy)
        while busy:
            yield from self._taken(number, busy)

    def close(self) -> None:
        """Let the other processes end, and log what they told and this process did not."""
        for rank in list(self._peers):
            self._send(rank, None)
        self._listener.close()
        self._seen.close()
        for text, (rank, level) in self._told.items():
            if text not in self._seen.texts:
                log.log(level, "process %d: %s", rank, text)

    def _taken(self, number: int, busy: set[int]) -> Iterator[Response | Failure]:
        """Wait for the next message; yield the response in it, if it is one to this ask."""
        rank, message = self._inbox.get()
        self._check(message)
        if isinstance(message, Answer) and message.number == number:
            yield message.found
        elif isinstance(message, Done):
            for level, text in message.told:
                self._told.setdefault(text, (rank, level))
            if message.number == number:
                busy.discard(rank)

    def _check(self, message: Any) -> None:
        if isinstance(message, Broken):
            if message.trace:
                log.error("%s", message.trace)
            raise LostProcessError(self.lost)

    def _put(self, rank: int, message: Any) -> None:
        if isinstance(message, Broken) and not self.lost:
            why = message.reason or "it has ended, perhaps because memory ran out"
            self.lost = f"process {rank}: {why}; {AGAIN}"
        self._inbox.put((rank, message))

    def _send(self, rank: int, message: Any) -> None:
        try:
            self._peers[rank].send(message)
        except OSError:
            self._put(rank, Broken())

    def _listen(self) -> None:
        """Accept all processes, and put their messages into the inbox; runs in a thread of its own."""
        try:
            while len(self._peers) < self.size - 1:
                try:
                    peer = self._listener.accept()
                except AuthenticationError:
                    continue  # a stranger
                self._peers[peer.recv()] = peer
        except (OSError, EOFError):
            return  # closed before all were there
        alive = dict(self._peers)
        while alive:
            ready = wait(list(alive.values()))
            for rank, peer in [(rank, peer) for rank, peer in alive.items() if peer in ready]:
                try:
                    self._put(rank, peer.recv())
                except (EOFError, OSError):
                    del alive[rank]
                    self._put(rank, Broken())


def connect(launch: Launch) -> Connection[Any, Any]:
    """Return the connection of another process to the main one."""
    port, key = _store(launch).get(next(_ADDRESSES)).decode().split()
    main = Client(("127.0.0.1", int(port)), authkey=bytes.fromhex(key))
    main.send(launch.rank)
    return main


@cache
def _store(launch: Launch) -> Any:
    """Return the launcher's key-value store, which a main process without an agent hosts as long as it lives."""
    store, _, _ = next(rendezvous("env://", launch.rank, launch.size, timeout=_PATIENCE))
    return store


class Heard(logging.Handler):
    """Notes the messages of the library."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.texts: dict[str, int] = {}
        logging.getLogger("unmirage").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Note a message with its level."""
        self.texts[record.getMessage()] = record.levelno

    def taken(self) -> list[tuple[int, str]]:
        """Return the levels and messages since the last call."""
        found, self.texts = self.texts, {}
        return [(level, text) for text, level in found.items()]

    def close(self) -> None:
        """Stop noting."""
        logging.getLogger("unmirage").removeHandler(self)
        super().close()
