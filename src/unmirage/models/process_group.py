"""Let the processes of a launcher answer queries together: the main process deals them and collects the responses.

Every process has the whole model on its own device. They exchange only queries and responses.
"""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from unmirage.data.images import Pictures
from unmirage.errors import UserError, one_line
from unmirage.models.base import VLM, GenerationConfig
from unmirage.models.batches import Work
from unmirage.models.process_channel import (
    AGAIN,
    Answer,
    Ask,
    Broken,
    Done,
    Group,
    Heard,
    LostProcessError,
    Ready,
    connect,
)
from unmirage.records import Failure, Query, Response
from unmirage.run.launch import Launch

Load = Callable[[], VLM]


def check_machine(launch: Launch) -> None:
    """Raise `UserError` if the processes are on several machines."""
    if launch.local_size != launch.size:
        raise UserError(
            f"attack: {launch.size} processes on several machines are not supported; start one attack on each machine "
            "with a part of the data, or serve the model (docs/scale.md)"
        )


def own_device(launch: Launch, device: str) -> str:
    """Return the device of this process for a setting `device`: its own GPU, or the CPU.

    Raises:
        UserError: the setting names one GPU for all processes, or there are fewer GPUs than processes.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise UserError(f"device {device}: the launcher assigns each process its device; valid: auto, cpu, cuda")
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return "cpu"
    count = torch.cuda.device_count()
    if count < launch.local_size:
        raise UserError(
            f"{launch.local_size} processes, but this machine has {count} GPUs; start at most one process per GPU "
            "(--nproc-per-node), or pass --device cpu"
        )
    torch.cuda.set_device(launch.local_rank)
    return f"cuda:{launch.local_rank}"


def deal(queries: Sequence[Query], processes: int) -> tuple[list[str], list[list[Query]]]:
    """Return the ids of the queries in the order of one process, and the queries of each process.

    Queries about the same images go to one process. Groups of similar length are dealt in turn, so that all processes
    are about equally busy, and their responses come in about the order of one process.
    """
    groups = Work(queries).groups()
    shares: list[list[Query]] = [[] for _ in range(processes)]
    for number, group in enumerate(groups):
        shares[number % processes] += group
    return [query.id for group in groups for query in group], shares


class GroupVLM:
    """The model of the main process, which lets the other processes answer their share of the queries.

    All other attributes are those of the main process's own model, which is `alone`.
    """

    def __init__(self, vlm: VLM, group: Group) -> None:
        self.name = vlm.name
        self.alone = vlm
        self._group = group

    def __getattr__(self, name: str) -> Any:
        return getattr(self.alone, name)

    def answer(
        self, queries: Sequence[Query], images: Pictures, config: GenerationConfig
    ) -> Iterator[Response | Failure]:
        """Yield a response or a failure for each query, in the order of one process.

        Raises:
            LostProcessError: another process failed or ended; the responses so far are yielded before.
        """
        order, shares = deal(queries, self._group.size)
        number = self._group.ask(shares[1:], config)
        turn, early = 0, dict[str, Response | Failure]()
        try:
            for one in self._group.merged(number, self.alone.answer(shares[0], images, config)):
                early[one.query_id] = one
                while turn < len(order) and order[turn] in early:
                    yield early.pop(order[turn])
                    turn += 1
        except GeneratorExit:
            raise  # nobody takes the rest
        except BaseException:
            yield from (early.pop(key) for key in order[turn:] if key in early)
            raise
        yield from (early.pop(key) for key in order[turn:] if key in early)


@contextmanager
def together(launch: Launch, load: Load) -> Iterator[Load]:
    """Let the main process share queries with the others inside the block.

    Args:
        launch: the place of this process, the main one.
        load: loads the model of this process.

    Yields:
        A function that loads the model of all processes.

    Raises:
        LostProcessError: another process failed or ended, or the launcher ended this one for that reason.
    """
    check_machine(launch)
    with _broken_pipes_as_errors():
        group = Group(launch)
        try:
            with _ended_by_error(lambda: group.lost):
                yield lambda: _loaded(load(), group)
        finally:
            group.close()


def _loaded(vlm: VLM, group: Group) -> VLM:
    group.greet()
    return GroupVLM(vlm, group)


@contextmanager
def _broken_pipes_as_errors() -> Iterator[None]:
    """Let a message to a process that has ended raise an error: the command line sets its signal to end a command."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGPIPE, before)


@contextmanager
def _ended_by_error(why: Callable[[], str]) -> Iterator[None]:
    """Raise an error in the block when the launcher ends this process, as it does when another one has ended."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return

    def stop(*_: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise LostProcessError(why() or f"the launcher ended this process, as another one has ended; {AGAIN}")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except LostProcessError:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # until the error is printed; the launcher is about to send it
        raise
    except BaseException:
        signal.signal(signal.SIGTERM, before)
        raise
    signal.signal(signal.SIGTERM, before)


def follow(launch: Launch, load: Load, pictures: Callable[[], Pictures]) -> None:
    """Answer the queries of the main process until it ends; for all other processes.

    Errors go to the main process, which reports them.

    Args:
        load: loads the model of this process.
        pictures: returns the pictures of the queries.
    """
    check_machine(launch)
    heard, broken = Heard(), None
    try:
        vlm, images = load(), pictures()
    except Exception as error:  # whatever it is, the main process must know
        broken = _broken(error)
    try:
        with _broken_pipes_as_errors(), connect(launch) as main:
            main.send(broken or Ready())
            while (asked := main.recv()) is not None:
                for message in _answers(vlm, images, asked):
                    main.send(message)
                main.send(Done(asked.number, heard.taken()))
    except (OSError, EOFError):
        return  # the main process has ended and has said why
    finally:
        heard.close()


def _answers(vlm: VLM, images: Pictures, asked: Ask) -> Iterator[Answer | Broken]:
    """Yield the responses, and the reason if there are no more of them."""
    try:
        for found in vlm.answer(asked.queries, images, asked.config):
            yield Answer(asked.number, found)
    except Exception as error:
        yield _broken(error)


def _broken(error: Exception) -> Broken:
    if isinstance(error, UserError):
        return Broken(one_line(error))
    trace = "".join(traceback.format_exception(error)).rstrip()
    return Broken(f"{type(error).__name__}: {one_line(error)}", trace)
