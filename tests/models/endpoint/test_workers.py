"""Threads: every result once, as they come; an error, an early end or Ctrl-C calls the rest off."""

import os
import signal
import threading
import time

import pytest

from unmirage.models.endpoint import in_threads
from unmirage.models.endpoint.chat import Pace, backoff, pause
from unmirage.models.endpoint.workers import CalledOff


def test_every_result_comes_once_and_the_quick_ones_first():
    found = list(in_threads(lambda item, stop: stop.wait(0.3 if item == 0 else 0) or item, range(20), 4))
    assert sorted(found) == list(range(20))
    assert found[-1] == 0


def test_no_items_need_no_threads():
    assert list(in_threads(lambda item, stop: item, [], 4)) == []


def test_the_first_error_is_raised_and_ends_the_work():
    begun = []

    def work(item, stop):
        begun.append(item)
        if item == 3:
            raise ValueError("three")
        time.sleep(0.001)
        return item

    with pytest.raises(ValueError, match="three"):
        list(in_threads(work, range(1000), 2))
    time.sleep(0.05)
    assert len(begun) < 1000


def test_work_that_was_called_off_raises_nothing():
    def work(item, stop):
        if item == 0:
            stop.set()
            time.sleep(0.05)
            raise ValueError("zero")
        pause(10, stop)

    with pytest.raises(ValueError, match="zero"):
        list(in_threads(work, range(8), 8))


def test_a_slow_reader_keeps_the_workers_waiting():
    begun = []
    results = in_threads(lambda item, stop: begun.append(item) or item, range(1000), 4)
    for read in range(1, 11):
        next(results)
        time.sleep(0.02)
        assert len(begun) <= read + 4 + 1  # four workers with a result each, and one in the queue
    results.close()


def test_leaving_the_loop_calls_the_rest_off():
    begun = []
    results = in_threads(lambda item, stop: begun.append(item) or stop.wait(0.01), range(1000), 2)
    next(results)
    results.close()
    time.sleep(0.1)
    assert len(begun) < 20


def test_an_interrupt_ends_at_once_whatever_the_threads_wait_for():
    stops = []
    released = threading.Event()

    def work(item, stop):
        stops.append(stop)
        released.wait(30)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(in_threads(work, range(8), 4))
    signal.signal(signal.SIGINT, before)
    assert time.monotonic() - started < 5
    assert stops[0].is_set()
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.endswith("(run)"))
    released.set()


def test_a_pause_ends_when_the_work_is_called_off():
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    with pytest.raises(CalledOff):
        pause(30, stop)
    with pytest.raises(CalledOff):
        Pace(None).wait(stop)


def test_requests_are_spaced_over_all_threads():
    pace = Pace(60 / 0.02)
    started = time.monotonic()
    list(in_threads(lambda item, stop: pace.wait(stop), range(11), 4))
    assert time.monotonic() - started >= 0.2


def test_a_server_that_asks_to_wait_holds_all_threads_back():
    pace = Pace(None)
    pace.hold(0.15)
    started = time.monotonic()
    pace.wait(None)
    assert time.monotonic() - started >= 0.15


def test_back_off_doubles_up_to_a_limit_and_is_spread():
    waits = [backoff(1, attempt, 10) for attempt in (0, 1, 2, 3, 4, 1000)]
    for wait, most in zip(waits, (1, 2, 4, 8, 10, 10), strict=True):
        assert most / 2 <= wait <= most
    assert len({backoff(1, 0, 10) for _ in range(10)}) > 1
