"""Results as they come in, commits of a few at a time out: a kill loses seconds of work, not hours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

_ROWS, _SECONDS = 64, 2.0  # what may be lost by a kill


def keep_as_they_come(found: Iterable[Item], keep: Callable[[Sequence[Item]], None]) -> None:
    """Hand what is found to `keep`, every few rows, and whenever something stops the work."""
    pending: list[Item] = []
    since = time.monotonic()
    try:
        for one in found:
            pending.append(one)
            if len(pending) >= _ROWS or time.monotonic() - since > _SECONDS:
                now, pending, since = pending, [], time.monotonic()
                keep(now)
    finally:
        if pending:
            keep(pending)
