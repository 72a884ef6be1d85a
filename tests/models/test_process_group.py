"""Queries shared by the processes of a launcher: who gets what, in which order responses come, and who has failed."""

import itertools
import logging
import os
import signal
import socket
import threading
import time

import pytest

from unmirage.data import ImageFolder
from unmirage.errors import UserError
from unmirage.models import GenerationConfig, process_channel
from unmirage.models import process_group as group
from unmirage.models.batches import Work
from unmirage.models.process_channel import LostProcessError
from unmirage.records import Failure, Kind, Query, Response
from unmirage.run.launch import Launch, launched
from unmirage.workflows.group import placed

CONFIG = GenerationConfig(max_new_tokens=4)
log = logging.getLogger("unmirage.models.huggingface")


def query(number, image=None):
    return Query(
        id=f"q{number:02d}",
        sample_id=f"s{number}",
        kind=Kind.JAILBREAK,
        shot=0,
        text="What is this? " + "so " * number,
        image=image,
        unsafe=True,
    )


QUERIES = [query(number, f"{number % 6}.png" if number % 4 else None) for number in range(24)]


class Echo:
    """A model whose response is the query's text."""

    name = "echo"
    source = "folder"

    def __init__(self, rank=0, fails_at=None, ended_at=None, waits=0.0):
        self.rank, self.fails_at, self.ended_at, self.waits, self.answered = rank, fails_at, ended_at, waits, []

    def answer(self, queries, images, config):
        log.warning("one picture is gray")
        if self.rank:
            log.warning("falls back to the library's own loop")
        for number, one in enumerate(queries):
            if number == self.fails_at:
                raise UserError("out of memory\nwith a batch of one query")
            if number == self.ended_at:
                os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(self.waits)
            self.answered.append(one.id)
            failed = one.id == "q05"
            yield (
                Failure(query_id=one.id, model=self.name, reason="no picture")
                if failed
                else Response(query_id=one.id, model=self.name, text=one.text, tokens=1)
            )


@pytest.fixture
def port(monkeypatch):
    """Set the variables of a launcher, which does not host the store."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found = free.getsockname()[1]
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(found))
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    # Threads of one process have one counter; each process has its own.
    monkeypatch.setattr(process_channel, "_ADDRESSES", itertools.repeat("address"))
    process_channel._store.cache_clear()
    before = signal.getsignal(signal.SIGTERM)
    yield found
    process_channel._store.cache_clear()
    signal.signal(signal.SIGTERM, before)


def started(vlms, folder):
    """Start the processes other than the main one, as threads."""

    def load(vlm):
        if isinstance(vlm, Exception):
            raise vlm
        return vlm

    size = len(vlms)
    threads = [
        threading.Thread(
            target=group.follow,
            args=(Launch(rank, rank, size, size), lambda vlm=vlm: load(vlm), lambda: folder),
        )
        for rank, vlm in enumerate(vlms)
        if rank
    ]
    for thread in threads:
        thread.start()
    return threads


def ask_both(folder, found, ended_at=None):
    """Add the ids of the queries that two processes answer to `found`, one by one."""
    with group.together(Launch(0, 0, 2, 2), lambda: Echo(ended_at=ended_at)) as load:
        for one in load().answer(QUERIES, folder, CONFIG):
            found.append(one.query_id)


def test_responses_come_in_the_order_of_one_process(port, tmp_path, caplog):
    folder = ImageFolder(tmp_path)
    vlms = [Echo(0, waits=0.002), Echo(1), Echo(2, waits=0.004)]
    with caplog.at_level(logging.WARNING, "unmirage"):
        threads = started(vlms, folder)
        with group.together(Launch(0, 0, 3, 3), lambda: vlms[0]) as load:
            vlm = load()
            assert (vlm.name, vlm.source) == ("echo", "folder")
            next(iter(vlm.answer(QUERIES, folder, CONFIG)))  # given up after one response
            found = list(vlm.answer(QUERIES[:20], folder, CONFIG))
            again = list(vlm.answer([QUERIES[3]], folder, CONFIG))
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    order = [one.id for same in Work(QUERIES[:20]).groups() for one in same]
    assert [one.query_id for one in found] == order
    assert [one.query_id for one in found if isinstance(one, Failure)] == ["q05"]
    assert all(one.text == QUERIES[int(one.query_id[1:])].text for one in found if isinstance(one, Response))
    assert [one.query_id for one in again] == ["q03"]
    told = [record.getMessage() for record in caplog.records]
    # Threads share the loggers, so what the others say is heard by all; the main process would repeat it otherwise.
    assert set(told) == {"one picture is gray", "falls back to the library's own loop"}


def test_queries_about_one_image_go_to_one_process():
    order, shares = group.deal(QUERIES, 4)
    assert sorted(order) == sorted(one.id for share in shares for one in share) == [one.id for one in QUERIES]
    places = [
        {number for number, share in enumerate(shares) for one in share if one.image == f"{k}.png"} for k in range(6)
    ]
    assert all(len(found) == 1 for found in places)
    assert max(map(len, shares)) - min(map(len, shares)) <= 3


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (Echo(1, fails_at=2), "process 1: out of memory with a batch of one query; finished work is kept"),
        (UserError("model 'm': weights are missing"), "process 1: model 'm': weights are missing; finished work"),
        (ZeroDivisionError("a bug"), "process 1: ZeroDivisionError: a bug; finished work"),
    ],
)
def test_a_process_that_fails_ends_the_run_with_its_reason(port, tmp_path, broken, told, caplog):
    folder, found = ImageFolder(tmp_path), []
    threads = started([Echo(), broken], folder)
    with pytest.raises(LostProcessError, match=told) as error:
        ask_both(folder, found)
    assert "\n" not in str(error.value)
    for thread in threads:
        thread.join(10)
    if isinstance(broken, ZeroDivisionError):
        assert "Traceback" in caplog.text


def test_responses_before_the_failure_of_another_process_are_kept(port, tmp_path):
    folder, found = ImageFolder(tmp_path), []
    (thread,) = started([Echo(), Echo(1, fails_at=3)], folder)
    with pytest.raises(LostProcessError, match="process 1"):
        ask_both(folder, found)
    thread.join(10)
    shares = group.deal(QUERIES, 2)[1]
    assert {one.id for one in shares[1][:3]} <= set(found)
    assert len(found) == len(set(found))


def test_the_signal_of_a_launcher_ends_the_run_with_one_line(port, tmp_path):
    folder, found = ImageFolder(tmp_path), []
    threads = started([Echo(), Echo(1)], folder)
    with pytest.raises(LostProcessError, match="the launcher ended this process, as another one has ended"):
        ask_both(folder, found, ended_at=3)
    assert found
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN  # until the error is printed
    for thread in threads:
        thread.join(10)


def test_the_launcher_is_told_by_all_of_its_variables(monkeypatch):
    values = {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}
    for name in (*values, "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert launched() is None
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    assert launched() is None  # a cluster sets some of them for other purposes
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", "1234")
    found = launched()
    assert found == Launch(3, 1, 4, 2)
    assert not found.is_main
    with pytest.raises(UserError, match="4 processes on several machines are not supported"):
        group.check_machine(found)
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert launched() is None
    monkeypatch.setenv("RANK", "first")
    with pytest.raises(UserError, match="is not a number"):
        launched()


def test_a_model_on_a_server_has_no_processes(monkeypatch):
    assert placed("endpoint:http://localhost:1/v1#m", "auto") == "auto"
    monkeypatch.setattr("unmirage.workflows.group.launched", lambda: Launch(0, 0, 2, 2))
    with pytest.raises(UserError, match=r"2 processes: one process sends a server .*--concurrency"):
        placed("endpoint:http://localhost:1/v1#m", "auto")
    assert placed("folder", "cpu") == "cpu"


def test_each_process_has_a_device_of_its_own(monkeypatch):
    launch, chosen = Launch(1, 1, 2, 2), []
    assert group.own_device(launch, "cpu") == "cpu"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert group.own_device(launch, "auto") == "cpu"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.set_device", chosen.append)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert [group.own_device(launch, one) for one in ("auto", "cuda")] == ["cuda:1"] * 2
    assert chosen == [1, 1]
    with pytest.raises(UserError, match=r"device cuda:0: the launcher assigns each process its device"):
        group.own_device(launch, "cuda:0")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(UserError, match=r"2 processes, but this machine has 1 GPUs"):
        group.own_device(launch, "auto")
