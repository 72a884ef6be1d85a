"""Run trainings and attacks in processes of one thread each.

One thread per process is faster than one process with several threads for a small model on a CPU, and results do not
depend on the number of processes.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Queue
from threading import Thread
from typing import Any

from unmirage.errors import UserError
from unmirage.run.progress import Progress, prefixed


@dataclass(frozen=True, slots=True)
class Task:
    """Work for one process.

    Attributes:
        name: unique name.
        work: called with a progress callback; it and its result must be picklable.
        after: names of the tasks that must have finished before.
    """

    name: str
    work: Callable[[Progress], Any]
    after: tuple[str, ...] = ()


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit torch to one thread.

    A small model does not gain from more, and on a busy machine the threads wait for each other. With one thread, the
    results of a study do not depend on the number of cores.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def cores() -> int:
    """Return the default number of processes."""
    return min(2, os.cpu_count() or 1)


def run_tasks(tasks: Sequence[Task], workers: int, progress: Progress) -> Iterator[tuple[str, Any]]:
    """Yield the name and the result of each task when it has finished.

    If a task fails, no further task starts. The error is raised after those that are running.

    Args:
        tasks: in order of preference; a task comes after those that it waits for. Tasks that `after` names and that
            are not here have finished.
        workers: number of processes; 1 runs all tasks in this process, in their order.
        progress: called in this process, with stages called "name: stage".

    Raises:
        UserError: a process was killed, for example because memory ran out.
    """
    if min(workers, len(tasks)) <= 1:
        for task in tasks:
            with one_thread():
                done = task.work(prefixed(progress, task.name))
            yield task.name, done
        return
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        steps = manager.Queue()
        listener = Thread(target=_listen, args=(steps, progress), daemon=True)
        listener.start()
        workers = min(workers, len(tasks))
        pool = ProcessPoolExecutor(workers, mp_context=context)
        try:
            yield from _in_pool(tasks, workers, pool, steps)
        except BrokenProcessPool:
            raise UserError(
                "a worker process was killed, perhaps because memory ran out; run the same command again to continue, "
                "with --workers 1 if memory is short"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)
            steps.put(None)
            listener.join()


def _in_pool(tasks: Sequence[Task], workers: int, pool: ProcessPoolExecutor, steps: Any) -> Iterator[tuple[str, Any]]:
    """Yield what `run_tasks` yields; after an error, wait for the running tasks, so that their results are kept."""
    waiting, running = list(tasks), dict[Future[Any], str]()
    error: BaseException | None = None
    done: list[tuple[str, Any]] = []
    while True:
        open_names = {task.name for task in waiting} | set(running.values())
        ready = [one for one in waiting if not open_names.intersection(one.after)]
        # Only as many as there are processes: the pool could not take back what waits inside it.
        for task in ready[: 0 if error else workers - len(running)]:
            waiting.remove(task)
            running[pool.submit(_in_worker, task, steps, os.getpid())] = task.name
        yield from done  # now, so that no process is idle while the caller works
        if not running:
            break
        finished, _ = wait(running, return_when=FIRST_COMPLETED)
        names = {future: running.pop(future) for future in finished}
        done = [(name, future.result()) for future, name in names.items() if future.exception() is None]
        error = error or next((found for future in finished if (found := future.exception()) is not None), None)
    if error is not None:
        raise error


def _in_worker(task: Task, steps: Queue[Any], parent: int) -> Any:
    """Run a task in this process; it exits when its parent dies."""
    from transformers.utils import logging as transformers_logging

    def report(stage: str, done: int, total: int) -> None:
        if os.getppid() != parent:
            os._exit(1)  # the parent is gone, so the result is useless
        steps.put((task.name, stage, done, total))

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    with one_thread():
        return task.work(report)


def _listen(steps: Queue[Any], progress: Progress) -> None:
    """Report the steps of all workers until the queue returns None."""
    while (step := steps.get()) is not None:
        name, stage, done, total = step
        progress(f"{name}: {stage}", done, total)
