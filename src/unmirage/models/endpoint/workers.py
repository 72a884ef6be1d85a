"""Process items in threads and yield results as they complete. Leaving the loop early, or Ctrl-C, cancels the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from queue import Full, Queue
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class CalledOff(Exception):  # noqa: N818 - not an error
    """Raised by `work` when its result is no longer needed."""


def in_threads(
    work: Callable[[Item, threading.Event], Result], items: Sequence[Item], workers: int
) -> Iterator[Result]:
    """Yield `work(item, stop)` for each item, in order of completion.

    `stop` is set once the results are no longer needed; `work` should then end soon. The threads are daemons, so an
    interrupted program ends at once, without waiting for the server.

    A worker starts its next item only after its result has been read. A slow reader, for example one that writes to
    disk, therefore has at most `workers` + 2 results outstanding, and killing the program loses only those.

    Raises:
        BaseException: the first exception that `work` raises, except `CalledOff`; it stops all work.
    """
    stop = threading.Event()
    waiting = iter(items)
    lock = threading.Lock()
    done: Queue[tuple[list[Result], BaseException | None]] = Queue(maxsize=1)
    left = threading.Event()  # the reader has stopped

    def hand_over(results: list[Result], error: BaseException | None = None) -> None:
        while not left.is_set():
            try:
                done.put((results, error), timeout=0.1)
            except Full:
                continue
            return

    def run() -> None:
        while not stop.is_set():
            with lock:
                taken = list(islice(waiting, 1))
            if not taken:
                return
            try:
                hand_over([work(taken[0], stop)])
            except CalledOff:
                return
            except BaseException as error:  # raised again in the reading thread
                stop.set()
                hand_over([], error)
                return

    threads = [threading.Thread(target=run, daemon=True) for _ in range(min(workers, len(items)))]
    try:
        for thread in threads:
            thread.start()
        for _ in items:
            results, error = done.get()
            if error is not None:
                raise error
            yield from results
    finally:
        stop.set()
        left.set()
