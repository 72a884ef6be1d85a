"""Tasks in processes: their order, one thread, and a process that is killed."""

import os
import signal
import time

import pytest
import torch

from unmirage.errors import UserError
from unmirage.workflows.processes import Task, run_tasks


class Write:
    """Writes a line when it starts and one when it ends."""

    def __init__(self, path, name, seconds=0.0):
        self.path, self.name, self.seconds = path, name, seconds

    def __call__(self, progress):
        self._say("begin")
        time.sleep(self.seconds)
        progress("work", 1, 1)
        self._say("end")
        return torch.get_num_threads()

    def _say(self, what):
        with self.path.open("a") as file:
            file.write(f"{what} {self.name}\n")


class Die:
    """Kills its process."""

    def __call__(self, progress):
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_task_starts_after_those_that_it_waits_for(tmp_path, workers):
    log = tmp_path / "log"
    tasks = [
        Task("a", Write(log, "a", 0.3)),
        Task("b", Write(log, "b"), after=("a", "done before")),
        Task("c", Write(log, "c")),
    ]
    steps, before = [], torch.get_num_threads()
    found = dict(run_tasks(tasks, workers, lambda *step: steps.append(step)))
    assert found == {"a": 1, "b": 1, "c": 1}
    lines = log.read_text().splitlines()
    assert lines.index("begin b") > lines.index("end a")
    assert sorted(steps) == [("a: work", 1, 1), ("b: work", 1, 1), ("c: work", 1, 1)]
    assert torch.get_num_threads() == before


class Fail:
    """Fails at once."""

    def __call__(self, progress):
        raise UserError("no such file")


@pytest.mark.slow
def test_results_of_running_tasks_are_kept_when_another_fails(tmp_path):
    log, kept = tmp_path / "log", []
    more = [Task(name, Write(log, name)) for name in "defgh"]
    tasks = [Task("a", Fail()), Task("b", Write(log, "b", 2.0)), Task("c", Write(log, "c"), after=("b",)), *more]
    with pytest.raises(UserError, match="no such file"):
        kept.extend(name for name, _ in run_tasks(tasks, 2, lambda *_: None))
    assert kept == ["b"]
    assert log.read_text().splitlines() == ["begin b", "end b"]


@pytest.mark.slow
def test_a_killed_process_is_one_line(tmp_path):
    tasks = [Task("a", Die()), Task("b", Write(tmp_path / "log", "b"))]
    with pytest.raises(UserError, match=r"a worker process was killed.*run the same command again"):
        list(run_tasks(tasks, 2, lambda *_: None))
