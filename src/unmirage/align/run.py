"""Run one alignment: train a model on its data, and report the result."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PrinterCallback, set_seed

from unmirage.align.arguments import check_optimizer, training_arguments
from unmirage.align.config import AlignConfig
from unmirage.align.estimate.lengths import check_lengths
from unmirage.align.evaluation import BestCheck, Checks, measuring
from unmirage.align.finish import Start, finish
from unmirage.align.guards import DivergenceError, Guards
from unmirage.align.lora import choose_trainable, set_checkpointing
from unmirage.align.methods import make_method
from unmirage.align.module import AlignModule
from unmirage.align.objective import Method
from unmirage.align.parts import adapters_alone, rates, trains
from unmirage.align.plan import (
    AlignData,
    check_data,
    keeps_reference,
    looks_inside,
    make_collator,
    make_dataset,
    make_rows,
    needs_reference,
    step_count,
    stream_samples,
    suited,
)
from unmirage.align.processes import agreed, by_deepspeed, is_main_process, on_several_machines, processes
from unmirage.align.reference import Reference
from unmirage.align.reference_cache import Memory, key_of
from unmirage.align.result import AlignResult
from unmirage.align.tracking import Trackers, check_trackers
from unmirage.align.trainer import AlignTrainer
from unmirage.align.watch import StopError, StopWhen, Until, Watch, WatchCallback
from unmirage.align.work_directory import Work
from unmirage.errors import UserError
from unmirage.models.huggingface import HuggingFaceVLM
from unmirage.records import SinkCount
from unmirage.run.progress import Progress, in_stage, note


def align(
    vlm: HuggingFaceVLM,
    data: AlignData,
    config: AlignConfig,
    progress: Progress | None = None,
    work: Path | None = None,
    *,
    watch: Watch | None = None,
    checks: Checks | None = None,
    until: Until | None = None,
    report_to: Sequence[str] = (),
) -> AlignResult:
    """Train `vlm` in place.

    Under `accelerate launch` or `torchrun`, all processes must call this function; see `AlignResult.writes`. If the
    model is sharded (FSDP, DeepSpeed), the main process gets the whole model as `vlm.model`; on the other processes it
    is unusable afterwards.

    Args:
        vlm: the model; its weights are changed, and an adapter is merged at the end.
        data: forget and retain samples or preference pairs, with their pictures.
        progress: called after each cached row and each optimizer step, on the main process only.
        work: directory for caches, checkpoints and log, visible to all processes. An interrupted run there is resumed.
            Without it, nothing is kept.
        watch: measures the model before training and every few steps, and may stop the run. Checkpoints are then
            written where it passes, instead of every `save_every` steps; the result has the last of them.
        checks: measures the model before training and every few steps; the result has the weights of the best check.
        until: called after each optimizer step; its reason ends the training with the weights of that step, and
            becomes `AlignResult.stopped`. All processes must get the same reason. Not for sharded models.
        report_to: trackers that get the metrics of each step, such as "tensorboard"; see `TRACKERS`.

    Raises:
        UserError: a tracker is unknown or not installed, the data does not match the method, or the watch stops the run
            at its first measurement.
        DivergenceError: the loss became NaN or Inf, or the model collapsed, before the first checkpoint.
    """
    started = time.perf_counter()
    config = suited(config, data)
    trackers = check_trackers(report_to)
    check_optimizer(config)
    method = make_method(config.method)
    if config.thinking != "auto":
        vlm.think(config.thinking)
    vlm.stop_at_end_of_turn()
    check_data(method, vlm.model, data, config)
    if looks_inside(method):
        method.prepare(vlm.model.get_input_embeddings().weight.shape[-1])
    vlm.model.to(processes().device)
    set_seed(config.seed)  # for the initial weights of an adapter
    dtype = vlm.model.dtype
    adapter = choose_trainable(vlm.model, config)
    start = Start.of(vlm.model, method, dtype)
    set_checkpointing(vlm.model, config.checkpointing)
    with _workspace(work, config) as space:
        told = progress if is_main_process() else None
        run = _Run(
            method,
            config,
            step_count(data, config),
            space,
            told,
            keeps=work is not None,
            watch=watch,
            checks=checks,
            until=until,
            trackers=trackers,
        )
        vlm.model, has_model = run.train(vlm, data, adapted=adapters_alone(config))
    kept = finish(vlm.model, method, start, config, adapter) if has_model else None
    return AlignResult(
        steps=len(run.parts),
        seconds=time.perf_counter() - started,
        parts=run.parts,
        state=method.state(),
        adapter=kept,
        stopped=run.stopped,
        early=run.early,
        watched=run.watched,
        checks=run.checked,
        sinks=run.sinks,
        ignored=run.ignored,
        writes=is_main_process(),
    )


class _Run:
    """The training, without preparation and finish."""

    def __init__(
        self,
        method: Method,
        config: AlignConfig,
        steps: int,
        work: Work,
        progress: Progress | None,
        *,
        keeps: bool,
        watch: Watch | None = None,
        checks: Checks | None = None,
        until: Until | None = None,
        trackers: Sequence[str] = (),
    ) -> None:
        self._trackers = trackers
        self._method = method
        self._config = config
        self._steps = steps
        self._work = work
        self._progress = progress
        self._keeps = keeps
        self._guards = Guards(config.collapse_nats, config.method.gamma * config.method.ce)
        self.parts: list[dict[str, float]] = []
        self.stopped, self.early = "", False
        self._until = until
        self._watch = watch
        self._checks = checks
        # Weights of the last passed measurement, and its step, without a work directory.
        self._held: dict[str, Tensor] = {}
        self._held_step = 0
        self.watched: dict[int, float] = {}
        self.checked: Mapping[int, Mapping[str, float]] = {}
        self.sinks: dict[str, SinkCount] = {}
        self.ignored: tuple[str, ...] = ()

    def train(self, vlm: HuggingFaceVLM, data: AlignData, *, adapted: bool) -> tuple[Any, bool]:
        """Train from the newest checkpoint, or from the start; return the model, and whether this process has it."""
        trainer = self._trainer(vlm, data, adapted=adapted)
        if self._watch is not None:
            self._look_on(self._watch, vlm, trainer)
        latest = self._work.checkpoints.latest() if self._keeps else None
        best = self._best(vlm, trainer, latest)
        self._go_back_to(latest)
        self._guards.replay(self.parts)
        ending = None if self._until is None else StopWhen(self._until)
        if ending is not None:
            trainer.add_callback(ending)
        try:
            if best is None or not best.over:  # an earlier process ended it
                trainer.train(resume_from_checkpoint=None if latest is None else str(latest))
                trainer.check_numbers()
        except (DivergenceError, StopError) as error:
            if best is None or best.best is None:
                self._recover(error, vlm, trainer)
            self.stopped, self.early = str(error), isinstance(error, StopError)
        else:
            self.stopped = "" if ending is None else ending.reason
        if best is not None:
            self._keep(best)
        return trainer.whole_model()

    def _recover(self, error: DivergenceError | StopError, vlm: HuggingFaceVLM, trainer: AlignTrainer) -> None:
        """Go back to the last good weights, or raise the error if there are none."""
        good = self._work.checkpoints.latest() if self._keeps else None
        if good is not None:
            trainer.restore(good)
            self._go_back_to(good)
        elif self._held:
            self._put_back(vlm)
        elif isinstance(error, StopError):
            raise StopError(error.step, f"{error.why}; lower learning_rate, or check more often") from None
        else:
            raise error

    def _best(self, vlm: HuggingFaceVLM, trainer: AlignTrainer, latest: Path | None) -> BestCheck | None:
        if self._checks is None:
            return None
        _check_alone(trainer, "eval")
        kept = self._work if self._keeps else None
        best = BestCheck(self._checks, vlm, trainer, self._config, self._steps, kept)
        best.begin(_step_of(latest))
        trainer.add_callback(best)
        return best

    def _keep(self, best: BestCheck) -> None:
        """Go back to the best check; the log on disk keeps the steps after it."""
        self.checked = best.values
        if best.best is not None:
            best.restore()
            self.parts = self.parts[: best.best]
        if not self.stopped:
            self.stopped, self.early = best.reason(), best.over

    def _look_on(self, watch: Watch, vlm: HuggingFaceVLM, trainer: AlignTrainer) -> None:
        """Measure the model before training, if no earlier process has, and let the trainer measure later ones."""
        _check_alone(trainer, "stop_relevance")
        self.watched = self._work.watched() if self._keeps else {}
        if 0 not in self.watched:
            self._measured(0, watch, vlm)

        def look(step: int) -> None:
            self._measured(step, watch, vlm)
            trainer.track({"eval_relevance": self.watched[step]})
            why = watch.verdict(self.watched[0], self.watched[step])
            if why:
                raise StopError(step, why)
            if not self._keeps:
                trained = ((name, one) for name, one in vlm.model.named_parameters() if one.requires_grad)
                self._held = {name: one.detach().to("cpu", copy=True) for name, one in trained}
                self._held_step = step

        trainer.add_callback(WatchCallback(look, watch.every, self._steps, saves=self._keeps))

    def _measured(self, step: int, watch: Watch, vlm: HuggingFaceVLM) -> None:
        with measuring(vlm, self._config):
            self.watched[step] = watch.measure(vlm, step)
        if self._keeps:
            self._work.record_watched(self.watched)

    def _put_back(self, vlm: HuggingFaceVLM) -> None:
        with torch.no_grad():
            for name, one in self._held.items():
                vlm.model.get_parameter(name).copy_(one)
        self.parts = self.parts[: self._held_step]

    def _go_back_to(self, checkpoint: Path | None) -> None:
        """Discard the steps after a checkpoint, which will be repeated; without a checkpoint, discard all."""
        if not self._keeps:
            return
        step = _step_of(checkpoint)
        self.parts = self._work.steps()[:step]
        processes().wait_for_everyone()  # until all have read the log
        if is_main_process():
            self._work.keep_steps(step)
        processes().wait_for_everyone()

    def _trainer(self, vlm: HuggingFaceVLM, data: AlignData, *, adapted: bool) -> AlignTrainer:
        config, model, method = self._config, vlm.model, self._method
        collator = make_collator(model, vlm.processor, method, config, one_pass=by_deepspeed())
        streams = stream_samples(method, data, config.seed)
        rows = make_rows(streams, vlm.processor, data.images, config)
        dataset = make_dataset(rows, self._steps, config)
        check_lengths(rows, streams, model, {name: dataset.drawn(name) for name in rows})
        key = key_of(model, vlm.processor, streams, data.images, config) if self._keeps else ""
        memory = Memory(model, collator, config, self._work.caches, key)
        with processes().main_process_first():
            if is_main_process():
                self.ignored = self._work.clear_incomplete()
            told = in_stage(self._progress, "caching reference outputs")
            memory.fill(rows, dataset, method, told, write=is_main_process())
        self.sinks = {name: one for name, stream in rows.items() if (one := stream.counted_sinks()) is not None}
        cached = keeps_reference(method, config) or not needs_reference(method, streams)
        logits = any("logits" in method.needs(name) for name in streams)
        how = config.optimizations
        reference = Reference(model, config.method.layer, how, adapted=adapted, cached=cached, logits=logits)
        # Passes leave out trained weights: the later layers for a loss on representations, the projector for a row
        # without a picture, and the end of the vision tower if the projector reads an earlier layer.
        texts = any(sample.image is None for samples in streams.values() for sample in samples)
        unused = looks_inside(method) or texts or trains(config, "vision")
        trainer = AlignTrainer(
            module=AlignModule(model, method, reference, how),
            guards=self._guards,
            record=self._record,
            checkpoints=self._work.checkpoints if self._keeps else None,
            args=training_arguments(config, self._steps, self._work.scratch, keeps=self._keeps, unused=unused),
            train_dataset=dataset,
            data_collator=collator,
            tracked=bool(self._trackers),
            rates=rates(model, config),
        )
        if self._trackers and is_main_process():
            folder = self._work.scratch.with_name("tensorboard") if self._keeps else None
            trainer.add_callback(Trackers(self._trackers, vlm.name, config, folder))
        trainer.remove_callback(PrinterCallback)  # it writes to stdout, which is reserved for --json
        return trainer

    def _record(self, step: int, parts: dict[str, float], learning_rate: float) -> None:
        self.parts.append(parts)
        if self._keeps and is_main_process():
            self._work.record(step, parts)
        if self._progress is not None:
            note(self._progress, "align", f"loss {sum(parts.values()):.4g}, learning rate {learning_rate:.3g}")
            self._progress("align", step, self._steps)


def _step_of(checkpoint: Path | None) -> int:
    return 0 if checkpoint is None else int(checkpoint.name.removeprefix("step-"))


def _check_alone(trainer: AlignTrainer, option: str) -> None:
    if trainer.sharded or processes().num_processes > 1:
        raise UserError(f"{option}: works with one process only; leave it out, or train on one device")


@contextmanager
def _workspace(work: Path | None, config: AlignConfig) -> Iterator[Work]:
    if work is not None:
        yield Work(work, config.keep_last)
        return
    if on_several_machines():
        raise UserError("work: a run on several machines needs a work directory on a shared disk; set it with --work")
    with tempfile.TemporaryDirectory(prefix="unmirage-align-") as own:
        yield Work(Path(agreed(own)), config.keep_last)  # the main process's folder, whose caches all processes read
        processes().wait_for_everyone()
