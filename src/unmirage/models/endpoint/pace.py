"""Rate limits and waits over all threads of a client; waits end when the run is stopped."""

from __future__ import annotations

import random
import threading
import time

from unmirage.models.endpoint.workers import CalledOff


class Pace:
    """Spaces requests evenly, and delays all of them if the server asks for it.

    Args:
        per_minute: maximum requests per minute over all threads; None for no limit.
    """

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
