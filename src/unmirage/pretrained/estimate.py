"""Estimate how long the study takes on this machine, before it starts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import torch

from unmirage.pretrained.study import SeedStudy
from unmirage.pretrained.tasks import Ask, CollectForget, Train, Unlearn
from unmirage.text.formatting import duration
from unmirage.workflows.processes import Task, one_thread

_TOKENS_PER_CHARACTER = 0.25
_TEMPLATE = 16  # tokens of the chat template and a small picture
_FORWARD, _BOTH = 2, 6  # operations per weight and token: forward pass, and with the backward pass
_PADDED = 1.15  # computed tokens per token
_REACHED = 0.9  # share of a large product's speed that training and generation reach, measured on one CPU core


def estimate(studies: Sequence[SeedStudy], tasks: Sequence[Task], workers: int) -> str:
    """Return the estimated time of the tasks, in one line; "" if nothing is left to do."""
    if not tasks:
        return ""
    weights = _weights(studies[0].request.base)
    speed = _speed() * _REACHED
    seconds = [_operations(task, weights) / speed for task in tasks]
    total = sum(seconds)
    longest = max(total / min(workers, len(tasks)), max(seconds))
    return (
        f"{len(tasks)} tasks left, about {duration(total)} of CPU time at {speed / _REACHED / 1e9:.0f} GFLOP/s per "
        f"thread: about {duration(longest)} with {workers} {'process' if workers == 1 else 'processes'} on free cores"
    )


def _operations(task: Task, weights: float) -> float:
    work = task.work
    if isinstance(work, Unlearn):
        return weights * _BOTH * 2 * work.train.config.batch_size * (work.train.config.steps or 1) * _PADDED * 60
    if isinstance(work, Train):
        tokens = fmean(_tokens(one.query + one.answer) for one in work.data.retain)
        return weights * _BOTH * tokens * work.config.batch_size * (work.config.steps or 1) * _PADDED
    if isinstance(work, CollectForget):
        return weights * _FORWARD * work.queries * (int(work.settings["max_new_tokens"]) + 40)
    assert isinstance(work, Ask)
    return weights * _FORWARD * work.expected * (work.generation.max_new_tokens + 40) * _PADDED


def _tokens(text: str) -> float:
    return _TEMPLATE + _TOKENS_PER_CHARACTER * len(text)


def _weights(model: Path) -> float:
    """Return the approximate number of weights, from the size of their files in float32."""
    return sum(file.stat().st_size for file in model.glob("*.safetensors")) / 4


def _speed() -> float:
    """Return the speed of a matrix product with one thread, in operations per CPU second; the best of several."""
    size = 512
    with one_thread(), torch.inference_mode():
        one, other = torch.ones(size, size), torch.ones(size, size)
        best = min(_timed(one, other) for _ in range(8))
    return float(2 * size**3 / best)


def _timed(one: torch.Tensor, other: torch.Tensor) -> float:
    started = time.thread_time()  # not the wall time, which other processes lengthen
    torch.mm(one, other)
    return max(time.thread_time() - started, 1e-6)
