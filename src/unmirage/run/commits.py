"""Commit results in small batches, so that a killed process loses seconds of work, not hours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

_ROWS, _SECONDS = 64, 2.0  # maximum loss when the process is killed


def keep_as_they_come(found: Iterable[Item], keep: Callable[[Sequence[Item]], None]) -> None:
    """Pass results to `keep` in small batches, and pass the rest when an error stops the work."""
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
