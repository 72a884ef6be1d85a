"""One alignment run: a model and its data in, the trained model and what happened on the way out."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import PartialState
from torch import Tensor
from transformers import PrinterCallback, set_seed

from unmirage.align.arguments import training_arguments
from unmirage.align.config import AlignConfig
from unmirage.align.finish import Adapter, Start, finish
from unmirage.align.guards import DivergenceError, Guards
from unmirage.align.methods import make_method
from unmirage.align.module import AlignModule
from unmirage.align.objective import Method
from unmirage.align.plan import (
    AlignData,
    check_data,
    looks_inside,
    make_collator,
    make_dataset,
    make_rows,
    needs_reference,
    step_count,
    stream_samples,
)
from unmirage.align.reference import Reference
from unmirage.align.remember import Memory, key_of
from unmirage.align.trainable import choose_trainable, set_checkpointing
from unmirage.align.trainer import AlignTrainer
from unmirage.align.work import Work
from unmirage.models.huggingface import HuggingFaceVLM

Progress = Callable[[str, int, int], None]  # (stage, done, in all)


@dataclass(frozen=True, slots=True)
class AlignResult:
    """What a run did.

    Attributes:
        steps: optimiser steps that the weights have seen.
        seconds: that this call took.
        parts: parts of the loss by step, as they were weighted.
        state: tensors that belong to the method, such as RMU's control vector.
        adapter: the trained adapter before it was merged, and its settings; None without one.
        stopped: why the run ended before its time; "" where it did not.
    """

    steps: int
    seconds: float
    parts: list[dict[str, float]]
    state: dict[str, Tensor]
    adapter: Adapter | None = None
    stopped: str = ""


def align(
    vlm: HuggingFaceVLM,
    data: AlignData,
    config: AlignConfig,
    progress: Progress | None = None,
    work: Path | None = None,
) -> AlignResult:
    """Train `vlm` in place.

    Args:
        vlm: the model; its weights are changed, and an adapter is merged in the end.
        data: forget and retain samples, with their pictures.
        config: all settings.
        progress: called after each row that is looked at beforehand, and after each optimiser step.
        work: directory for caches, checkpoints and log; a run that was broken off there is continued. Without one,
            nothing is kept.

    Raises:
        UserError: the data does not fit the method.
        DivergenceError: the loss stopped being a number, or the model went to pieces, before there was a checkpoint.
    """
    started = time.perf_counter()
    method = make_method(config.method)
    check_data(method, vlm.model, data, config)
    set_seed(config.seed)  # an adapter's first weights
    dtype = vlm.model.dtype
    adapter = choose_trainable(vlm.model, config)
    start = Start.of(vlm.model, method, dtype)
    set_checkpointing(vlm.model, config.checkpointing)
    with _workspace(work, config) as space:
        run = _Run(method, config, step_count(data, config), space, progress, keeps=work is not None)
        run.train(vlm, data, adapted=adapter is not None)
    kept = finish(vlm.model, method, start, config, adapter)
    return AlignResult(
        steps=len(run.parts),
        seconds=time.perf_counter() - started,
        parts=run.parts,
        state=method.state(),
        adapter=kept,
        stopped=run.stopped,
    )


class _Run:
    """The training between the preparations and the finish."""

    def __init__(
        self, method: Method, config: AlignConfig, steps: int, work: Work, progress: Progress | None, *, keeps: bool
    ) -> None:
        self._method = method
        self._config = config
        self._steps = steps
        self._work = work
        self._progress = progress
        self._keeps = keeps
        self._guards = Guards(config.collapse_nats, config.method.gamma * config.method.ce)
        self.parts: list[dict[str, float]] = []
        self.stopped = ""

    def train(self, vlm: HuggingFaceVLM, data: AlignData, *, adapted: bool) -> None:
        """Train from the newest checkpoint, or from the start."""
        trainer = self._trainer(vlm, data, adapted=adapted)
        latest = self._work.checkpoints.latest() if self._keeps else None
        if latest is not None:
            self.parts = self._work.keep_steps(int(latest.name.removeprefix("step-")))
            self._guards.replay(self.parts)
        try:
            trainer.train(resume_from_checkpoint=None if latest is None else str(latest))
        except DivergenceError as error:
            good = self._work.checkpoints.latest() if self._keeps else None
            if good is None:
                raise
            trainer.restore(good)
            self.parts = self._work.keep_steps(int(good.name.removeprefix("step-")))
            self.stopped = str(error)

    def _trainer(self, vlm: HuggingFaceVLM, data: AlignData, *, adapted: bool) -> AlignTrainer:
        config, model, method = self._config, vlm.model, self._method
        state = PartialState(cpu=not torch.cuda.is_available())
        collator = make_collator(model, vlm.processor, method, config, one_pass=_by_deepspeed())
        streams = stream_samples(method, data, config.seed)
        rows = make_rows(streams, vlm.processor, data.images, config)
        dataset = make_dataset(rows, self._steps, config)
        key = key_of(model, streams, data.images, config) if self._keeps else ""
        memory = Memory(model, collator, config, self._work.caches, key)
        with state.main_process_first():
            memory.fill(rows, dataset, method, self._said("look ahead"), write=state.is_main_process)
        cached = config.savings.cache_reference or not needs_reference(method, streams)
        trainer = AlignTrainer(
            module=AlignModule(
                model,
                method,
                Reference(model, config.method.layer, config.savings, adapted=adapted, cached=cached),
                config.savings,
            ),
            guards=self._guards,
            record=self._record,
            checkpoints=self._work.checkpoints if self._keeps else None,
            args=training_arguments(
                config, self._steps, self._work.scratch, keeps=self._keeps, unused=looks_inside(method)
            ),
            train_dataset=dataset,
            data_collator=collator,
        )
        trainer.remove_callback(PrinterCallback)  # it writes to stdout, which belongs to --json
        return trainer

    def _record(self, step: int, parts: dict[str, float]) -> None:
        self.parts.append(parts)
        if self._keeps and PartialState().is_main_process:
            self._work.record(step, parts)
        if self._progress is not None:
            self._progress("align", step, self._steps)

    def _said(self, stage: str) -> Callable[[int, int], None] | None:
        progress = self._progress
        return None if progress is None else lambda done, total: progress(stage, done, total)


@contextmanager
def _workspace(work: Path | None, config: AlignConfig) -> Iterator[Work]:
    if work is not None:
        yield Work(work, config.keep_last)
        return
    with tempfile.TemporaryDirectory(prefix="unmirage-align-") as scratch:
        yield Work(Path(scratch), config.keep_last)


def _by_deepspeed() -> bool:
    return os.environ.get("ACCELERATE_USE_DEEPSPEED", "false") == "true"
