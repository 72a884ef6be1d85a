"""The only Trainer subclass: it cuts steps into passes, counts what losses are divided by, and keeps checkpoints."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import DistributedType
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import Sampler, SequentialSampler
from transformers import Trainer

from unmirage.align.checkpoints import Checkpoints
from unmirage.align.forward import PassBatch
from unmirage.align.guards import DivergenceError, Guards
from unmirage.align.module import AlignModule, count

WEIGHTS = "model.safetensors"
Record = Callable[[int, dict[str, float]], None]


class AlignTrainer(Trainer):  # type: ignore[misc]  # transformers ships no types
    """Trains an `AlignModule`; the order of the data is the dataset's own.

    Args:
        module: the model with its losses.
        guards: look at the losses of each step before it is taken.
        record: called with each step's number and the parts of its loss.
        checkpoints: where they go; None keeps none.
    """

    loss_is_scaled_for_ga = True  # divided by counts of the whole step

    def __init__(
        self,
        *,
        module: AlignModule,
        guards: Guards,
        record: Record,
        checkpoints: Checkpoints | None,
        **arguments: Any,
    ) -> None:
        super().__init__(model=module, **arguments)
        self._guards = guards
        self._record = record
        self._checkpoints = checkpoints
        self._parts: dict[str, Tensor] = {}

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    def _get_num_items_in_batch(self, batch_samples: list[list[PassBatch]], device: torch.device) -> Any:
        """Return the counts of the whole step, over all micro-batches and processes."""
        counts = count([batch for passes in batch_samples for batch in passes])
        here = torch.tensor(list(counts.values()), dtype=torch.float64, device=device)
        total = self.accelerator.reduce(here, "sum").tolist()
        return dict(zip(counts, total, strict=True))

    def training_step(self, model: nn.Module, inputs: list[PassBatch], num_items_in_batch: Any = None) -> Tensor:
        """Run forward and backward of each pass; return this process's share of the loss."""
        model.train()
        for number, batch in enumerate(inputs):
            last = number == len(inputs) - 1
            with nullcontext() if last or not self._reduces_in_backward() else self.accelerator.no_sync(model):
                with self.compute_loss_context_manager():
                    parts = model(batch.to(self.args.device), num_items_in_batch)
                # What distributes the model averages gradients; the losses are shares of a sum.
                loss = torch.stack(list(parts.values())).sum()
                self.accelerator.backward(loss * self.accelerator.num_processes)
            self._add(parts)
        if self.accelerator.sync_gradients:
            self._look()
        return loss.detach()

    def _reduces_in_backward(self) -> bool:
        return self.accelerator.distributed_type in (DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)

    def _add(self, parts: dict[str, Tensor]) -> None:
        for name, part in parts.items():
            held = part.detach().double()
            self._parts[name] = self._parts[name] + held if name in self._parts else held

    def _look(self) -> None:
        """Sum the parts over all processes, which so stop together or not at all, and let the guards see them."""
        total = self.accelerator.reduce(torch.stack(list(self._parts.values())), "sum").tolist()
        parts, self._parts = dict(zip(self._parts, total, strict=True)), {}
        step = self.state.global_step + 1
        self._guards.look(step, parts)
        self._record(step, parts)

    # Checkpoints hold what trains; the rest is the base model, which does not change.

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None) -> None:  # noqa: ARG002
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: tensor.detach().contiguous() for name, tensor in self._trained(self.model)}
        broken = [name for name, tensor in weights.items() if not torch.isfinite(tensor).all()]
        if broken:
            raise DivergenceError(self.state.global_step, f"'{broken[0]}' holds what is no number")
        save_file(weights, folder / WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        if self.is_fsdp_enabled:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        held = load_file(Path(resume_from_checkpoint) / WEIGHTS)
        with torch.no_grad():
            for name, parameter in self._trained(self.model if model is None else model):
                parameter.copy_(held.pop(name))
        assert not held, sorted(held)

    def restore(self, checkpoint: Path) -> None:
        """Put the weights of a checkpoint back into the model."""
        self._load_from_checkpoint(os.fspath(checkpoint), self.model_wrapped if self.is_fsdp_enabled else None)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        assert self._checkpoints is not None
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            step = self.state.global_step
            self._checkpoints.settle(self._checkpoints.staging / f"checkpoint-{step}", step)
        self.accelerator.wait_for_everyone()

    def _get_output_dir(self, trial: Any) -> str:  # noqa: ARG002
        return os.fspath(self._checkpoints.staging if self._checkpoints else self.args.output_dir)

    @staticmethod
    def _trained(model: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
        return ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)
