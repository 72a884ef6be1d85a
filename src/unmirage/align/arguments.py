"""Translate our settings into those of the Trainer, and split a step into processes and micro-batches."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import TrainingArguments

from unmirage.align.config import AlignConfig
from unmirage.align.lora import arithmetic
from unmirage.align.processes import by_fsdp, on_gpu, processes
from unmirage.errors import UserError
from unmirage.models.quantized import check_bitsandbytes

# The Trainer's names. The fused one has the result of adamw_torch, in one pass over the weights.
_OPTIMIZERS = {"adamw": "adamw_torch_fused", "adamw8bit": "adamw_bnb_8bit", "paged-adamw8bit": "paged_adamw_8bit"}
# Its "constant" would ignore the warmup.
_SCHEDULERS = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


def check_optimizer(config: AlignConfig) -> None:
    """Raise `UserError` if the optimizer needs a CUDA GPU or a package that is not there."""
    if config.optimizer != "adamw":
        check_bitsandbytes(f"optimizer {config.optimizer}", gpu=on_gpu())


def cut(config: AlignConfig, processes: int) -> tuple[int, int]:
    """Return rows of each stream per micro-batch, and micro-batches per step, for each of `processes`.

    Raises:
        UserError: the step cannot be split evenly.
    """
    if config.batch_size % processes:
        raise UserError(
            f"batch_size: {config.batch_size} rows cannot be split evenly over {processes} processes; use a multiple"
        )
    share = config.batch_size // processes
    micro = min(config.micro_batch_size or share, share)
    if share % micro:
        raise UserError(
            f"micro_batch_size: {micro} does not divide the {share} rows per process and step; "
            f"valid: {', '.join(str(n) for n in range(1, share + 1) if share % n == 0)}"
        )
    return micro, share // micro


def training_arguments(
    config: AlignConfig, steps: int, folder: Path, *, keeps: bool, unused: bool
) -> TrainingArguments:
    """Return the Trainer's settings.

    Args:
        config, steps, folder: our settings, optimizer steps and the Trainer's output folder.
        keeps: True if checkpoints are kept.
        unused: True if some passes leave out trained weights, possibly different ones on each process.
    """
    cuda = on_gpu()
    number = processes().num_processes
    micro, accumulation = cut(config, number)
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=accumulation,
        learning_rate=config.learning_rate,
        lr_scheduler_type=_SCHEDULERS[config.schedule],
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        optim=_OPTIMIZERS[config.optimizer],
        seed=config.seed,
        bf16=arithmetic(config) is torch.bfloat16,
        use_cpu=not cuda,
        ddp_backend=None if number == 1 else "nccl" if cuda else "gloo",
        ddp_find_unused_parameters=unused,
        # Keeping whole gradients until the last micro-batch would undo the memory savings of sharding.
        accelerator_config={"gradient_accumulation_kwargs": {"sync_each_batch": True}} if by_fsdp() else None,
        remove_unused_columns=False,
        save_strategy="steps" if keeps else "no",
        save_steps=config.save_every,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,  # batches are our own objects, which cannot be pinned
    )
