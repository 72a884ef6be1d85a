"""Train several arms from one base model, in processes of one thread each; weights do not depend on their number."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from unmirage.align import AlignConfig, AlignData, align
from unmirage.align.guards import DivergenceError
from unmirage.data.overlap import fingerprints_of
from unmirage.data.training_record import TrainingRecord
from unmirage.models import HuggingFaceVLM
from unmirage.run import Run
from unmirage.run.model import save_model
from unmirage.run.progress import Progress
from unmirage.testbed.settings import BASE
from unmirage.workflows.processes import Task, one_thread, run_tasks


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
    return TrainingRecord.of([fingerprints_of(data.samples, data.images)])


def train_all(trainings: Sequence[Training], run: Run, progress: Progress, workers: int) -> Iterator[Trained]:
    """Train all arms into the run's model folders; yield each when it is finished.

    Args:
        run: run directory with the base model; also the output.
        progress: called in this process after each step of any arm.
        workers: number of processes; 1 trains in this process.
    """
    tasks = [Task(one.name, partial(train, one, run.model(BASE), run.model(one.name))) for one in trainings]
    for _, trained in run_tasks(tasks, workers, progress):
        yield trained
