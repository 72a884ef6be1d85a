"""One alignment run: a model and its data in, the trained model and what happened on the way out."""

from __future__ import annotations

import copy
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PrinterCallback, TrainerCallback, TrainingArguments

from unmirage.align.config import AlignConfig
from unmirage.align.methods import make_method
from unmirage.align.objective import Method, freeze
from unmirage.align.streams import EncodedSamples, PairCollator, PairedStreams
from unmirage.align.trainer import AlignTrainer
from unmirage.data.images import ImageFolder
from unmirage.errors import UserError
from unmirage.models.families import decoder_depth, set_trainable
from unmirage.models.huggingface import HuggingFaceVLM
from unmirage.records import Sample

Progress = Callable[[int, int], None]  # (steps done, steps in all)


@dataclass(frozen=True, slots=True)
class AlignData:
    """The samples of a run, and where their pictures lie. `forget` is empty for SFT."""

    retain: Sequence[Sample]
    images: ImageFolder
    forget: Sequence[Sample] = ()


@dataclass(frozen=True, slots=True)
class AlignResult:
    """What a run did: loss parts by step, seconds, and tensors to save beside the model."""

    steps: int
    seconds: float
    parts: list[dict[str, float]]
    state: dict[str, Tensor]


def align(vlm: HuggingFaceVLM, data: AlignData, config: AlignConfig, progress: Progress | None = None) -> AlignResult:
    """Train `vlm` in place.

    Args:
        vlm: the model; its weights are changed.
        data: forget and retain samples, with their pictures.
        config: all settings.
        progress: called after each optimiser step.

    Raises:
        UserError: the data does not fit the method, or the loss stopped being a number.
    """
    method = make_method(config.method)
    _check(method, vlm, data, config.method.name)
    started = time.perf_counter()
    reference = freeze(copy.deepcopy(vlm.model)) if method.needs_reference else None
    vlm.model.train()
    set_trainable(vlm.model, config.trainable)
    steps = _steps(data, config)
    streams = {"retain": EncodedSamples(data.retain, vlm.processor, data.images)}
    if method.needs_forget:
        streams["forget"] = EncodedSamples(data.forget, vlm.processor, data.images)
    with tempfile.TemporaryDirectory(prefix="unmirage-align-") as scratch:
        trainer = AlignTrainer(
            method=method,
            reference=reference,
            model=vlm.model,
            args=_arguments(config, steps, scratch),
            train_dataset=PairedStreams(streams, steps * config.batch_size, config.seed),
            data_collator=PairCollator(vlm.processor.tokenizer.pad_token_id),
            callbacks=[_Watch(steps, progress)],
        )
        trainer.remove_callback(PrinterCallback)  # it writes to stdout, which belongs to --json
        trainer.train()
    freeze(vlm.model)
    return AlignResult(steps, time.perf_counter() - started, trainer.parts, method.state())


def _check(method: Method, vlm: HuggingFaceVLM, data: AlignData, name: str) -> None:
    if not data.retain:
        raise UserError("retain: the set is empty; a method needs at least one sample to keep or to learn")
    if method.needs_forget and not data.forget:
        raise UserError(f"forget: the set is empty; method '{name}' needs harmful answers to forget")
    if not method.needs_forget and data.forget:
        raise UserError(f"forget: method '{name}' takes no forget set; give all data as retain set")
    unanswered = [s.id for s in (*data.forget, *data.retain) if not s.answer.strip()]
    if unanswered:
        raise UserError(f"sample '{unanswered[0]}': the answer is empty ({len(unanswered)} such samples)")
    layer, depth = method.hidden_layer(), decoder_depth(vlm.model)
    if layer is not None and layer > depth:
        raise UserError(f"method.layer: {layer} is out of range; this model has decoder layers 1 to {depth}")


def _steps(data: AlignData, config: AlignConfig) -> int:
    if config.steps is not None:
        return config.steps
    return max(1, math.ceil(config.epochs * len(data.forget or data.retain) / config.batch_size))


def _arguments(config: AlignConfig, steps: int, scratch: str) -> TrainingArguments:
    return TrainingArguments(
        output_dir=scratch,
        max_steps=steps,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.schedule,
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        optim="adamw_torch",
        seed=config.seed,
        bf16=torch.cuda.is_available(),
        use_cpu=not torch.cuda.is_available(),
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=torch.cuda.is_available(),
    )


class _Watch(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Reports progress after each optimiser step."""

    def __init__(self, steps: int, progress: Progress | None) -> None:
        self._steps = steps
        self._progress = progress

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        if self._progress is not None:
            self._progress(state.global_step, self._steps)
