"""Train several arms from one base model, in processes of one thread each.

One thread per process is faster than one process with several threads for a model this small, and the weights do not
depend on the number of processes.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from unmirage.align import AlignConfig, AlignData, align
from unmirage.align.guards import DivergenceError
from unmirage.data.overlap import fingerprints_of
from unmirage.data.training_record import TrainingRecord
from unmirage.models import HuggingFaceVLM
from unmirage.run import Run
from unmirage.run.model import save_model
from unmirage.run.progress import Progress, prefixed
from unmirage.testbed.settings import BASE


@dataclass(frozen=True, slots=True)
class Training:
    """One arm to train: its name, settings and data, and a work directory if it can be resumed."""

    name: str
    config: AlignConfig
    data: AlignData
    work: Path | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training; `stopped` is the reason why there is no model, or empty."""

    name: str
    seconds: float
    stopped: str = ""


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit torch to one thread.

    A model this small does not gain from more, and on a busy machine the threads wait for each other. With one
    thread, the results of a study do not depend on the number of cores.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def train(training: Training, base: Path, out: Path, progress: Progress | None = None) -> Trained:
    """Train one arm from the model in `base` with one thread, and save it to `out` unless it diverges."""
    stopped = ""
    started = time.perf_counter()
    with one_thread():
        vlm = HuggingFaceVLM.load(base, training.name)
        try:
            result = align(vlm, training.data, training.config, progress, training.work)
        except DivergenceError as error:
            stopped = str(error)
        else:
            record = training_record(training.data)
            save_model(out, vlm, training.config.model_dump(mode="json"), result.state, training=record)
    if training.work is not None:
        shutil.rmtree(training.work, ignore_errors=True)
    return Trained(training.name, time.perf_counter() - started, stopped)


def training_record(data: AlignData) -> TrainingRecord:
    """Return the record of an alignment's data, without those of the base model, which include all devices."""
    return TrainingRecord.of([fingerprints_of((*data.forget, *data.retain), data.images)])


def train_all(trainings: Sequence[Training], run: Run, progress: Progress, workers: int) -> Iterator[Trained]:
    """Train all arms into the run's model folders; yield each when it is finished.

    Args:
        run: run directory with the base model; also the output.
        progress: called in this process after each step of any arm.
        workers: number of processes; 1 trains in this process.
    """
    base = run.model(BASE)
    if min(workers, len(trainings)) <= 1:
        for one in trainings:
            yield train(one, base, run.model(one.name), prefixed(progress, one.name))
        return
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        steps = manager.Queue()
        listener = Thread(target=_listen, args=(steps, progress), daemon=True)
        listener.start()
        try:
            with ProcessPoolExecutor(min(workers, len(trainings)), mp_context=context) as pool:
                submitted = [
                    pool.submit(_in_worker, one, base, run.model(one.name), steps, os.getpid()) for one in trainings
                ]
                for done in as_completed(submitted):
                    yield done.result()
        finally:
            steps.put(None)
            listener.join()


def _in_worker(training: Training, base: Path, out: Path, steps: Queue[Any], parent: int) -> Trained:
    """Train in this process; it exits when its parent dies."""

    def report(stage: str, done: int, total: int) -> None:
        if os.getppid() != parent:
            os._exit(1)  # the parent is gone, so the result is useless
        steps.put((training.name, stage, done, total))

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    return train(training, base, out, report)


def _listen(steps: Queue[Any], progress: Progress) -> None:
    """Report the steps of all workers until the queue returns None."""
    while (step := steps.get()) is not None:
        name, stage, done, total = step
        progress(f"{name}: {stage}", done, total)
