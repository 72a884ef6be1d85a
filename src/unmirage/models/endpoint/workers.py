"""Work on many items in threads, results as they come. Leaving the loop early, or Ctrl-C, calls the rest off."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import Full, Queue
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class CalledOff(Exception):  # noqa: N818 - no error
    """Raised by work that ends because its result is no longer wanted."""


def in_threads(
    work: Callable[[Item, threading.Event], Result], items: Sequence[Item], workers: int
) -> Iterator[Result]:
    """Yield `work(item, stop)` for each item, in the order in which they are done.

    `stop` is set once the results are no longer wanted; `work` should then end soon. Nobody waits for it: the
    threads are daemons, so that an interrupted program ends at once and not when the server has answered.

    A worker starts its next item only when its result has been taken, so that a slow reader, such as one that writes
    to disk, has at most `workers` + 2 results outstanding. Those are what a kill loses.

    Raises:
        BaseException: the first one that `work` raised, except `CalledOff`; it ends all work.
    """
    stop = threading.Event()
    waiting = iter(items)
    lock = threading.Lock()
    done: Queue[tuple[list[Result], BaseException | None]] = Queue(maxsize=1)
    left = threading.Event()  # nobody reads any more

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
                taken = list(_first(waiting))
            if not taken:
                return
            try:
                hand_over([work(taken[0], stop)])
            except CalledOff:
                return
            except BaseException as error:  # raised again where the results are read
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


def _first(items: Iterator[Item]) -> Iterator[Item]:
    for item in items:
        yield item
        return
