"""When the next request may be sent: limits over all threads, and waits that end when the work is called off."""

from __future__ import annotations

import random
import threading
import time

from unmirage.models.endpoint.workers import CalledOff


class Pace:
    """Spaces requests evenly, and holds all of them back where the server asks for it.

    Args:
        per_minute: requests over all threads; None for no limit.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._gap = 0.0 if per_minute is None else 60 / per_minute
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self, stop: threading.Event | None) -> None:
        """Wait for the next free slot and take it."""
        with self._lock:
            start = max(time.monotonic(), self._next)
            self._next = start + self._gap
        pause(start - time.monotonic(), stop)

    def hold(self, seconds: float) -> None:
        """Let no request start within the next `seconds`."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


def pause(seconds: float, stop: threading.Event | None) -> None:
    """Sleep, but not beyond the moment in which `stop` is set.

    Raises:
        CalledOff: it is set.
    """
    if stop is None:
        time.sleep(max(0.0, seconds))
    elif stop.wait(max(0.0, seconds)):
        raise CalledOff


def backoff(base: float, attempt: int, longest: float) -> float:
    """Return how long to wait before retry `attempt` (from 0): doubled each time, and spread so that threads part."""
    wait: float = min(longest, base * 2 ** min(attempt, 30))
    return wait * random.uniform(0.5, 1)
