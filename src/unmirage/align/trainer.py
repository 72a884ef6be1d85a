"""The only Trainer subclass: it splits steps into passes, counts the divisors of losses, and keeps checkpoints."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import DistributedType
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.fsdp import MixedPrecisionPolicy
from torch.utils.data import Sampler, SequentialSampler
from transformers import Trainer
from transformers.integrations.deepspeed import deepspeed_load_checkpoint

from unmirage.align.forward import PassBatch
from unmirage.align.guards import DivergenceError, Guards, check_weights
from unmirage.align.module import AlignModule, count
from unmirage.align.tracking import metrics_of
from unmirage.align.work_directory import Checkpoints
from unmirage.errors import UserError
from unmirage.run.files import tensors_written

Gather = Callable[[nn.Parameter], Tensor]


class Whole:
    """The structure of a model with its adapter, copied before sharding changes its modules permanently."""

    def __init__(self, model: nn.Module) -> None:
        self._names = [name for name, _ in model.named_parameters()]
        # The copy keeps parameter objects without their memory; tied parameters stay tied.
        known: dict[int, Any] = {
            id(one): nn.Parameter(one.detach().to("meta"), one.requires_grad) for one in model.parameters()
        }
        self._model = copy.deepcopy(model, known)

    def filled(self, model: nn.Module, gather: Gather, *, keeps: bool) -> nn.Module:
        """Return a whole model with the weights of the sharded `model`; all processes must call it together.

        Args:
            model: sharded model.
            gather: returns a whole parameter from the shards of all processes.
            keeps: True if this process keeps the weights, in main memory; else its model stays empty.
        """
        sharded = dict(model.named_parameters())
        filled: dict[int, nn.Parameter] = {}
        for name in self._names:
            whole = gather(sharded[name])  # collective call: all processes must take part
            if keeps:
                empty = self._model.get_parameter(name)
                # Copied from the device one by one, so that it never holds the shards and the whole model at once.
                filled[id(empty)] = nn.Parameter(whole.detach().to("cpu", empty.dtype, copy=True), empty.requires_grad)
            del whole
        for module in self._model.modules():
            for name, parameter in module._parameters.items():
                if parameter is not None and id(parameter) in filled:
                    module._parameters[name] = filled[id(parameter)]
        return self._model


def gather_fsdp(parameter: nn.Parameter) -> Tensor:
    """Return the whole of a parameter that FSDP2 has sharded."""
    held: Any = parameter
    whole: Tensor = held.full_tensor()
    return whole


def gather_zero(parameter: nn.Parameter) -> Tensor:
    """Return the whole of a DeepSpeed parameter; for a trained one, the optimizer's float32 weights."""
    deepspeed: Any = import_module("deepspeed")  # not our dependency; runs under DeepSpeed have it
    if parameter.requires_grad:
        whole: Tensor = deepspeed.utils.safe_get_full_fp32_param(parameter)
        return whole
    with deepspeed.zero.GatheredParameters([parameter]):
        return parameter.detach().clone()


def split_groups(groups: Sequence[Mapping[str, Any]], rates: Mapping[int, float]) -> list[dict[str, Any]]:
    """Return an optimizer's groups of parameters, split by learning rate; groups without parameters are left out.

    Args:
        groups: the groups.
        rates: learning rate by the id of a parameter; others keep that of their group, and come first.
    """
    found: list[dict[str, Any]] = []
    for group in groups:
        by_rate: dict[float, list[nn.Parameter]] = {group["lr"]: []}
        for one in group["params"]:
            by_rate.setdefault(rates.get(id(one), group["lr"]), []).append(one)
        found += [{**group, "lr": rate, "params": own} for rate, own in by_rate.items() if own]
    return found


WEIGHTS = "model.safetensors"
Record = Callable[[int, dict[str, float], float], None]


class AlignTrainer(Trainer):  # type: ignore[misc]  # transformers ships no types
    """Trains an `AlignModule`; the dataset defines the order of the data.

    Args:
        guards: check the losses of each step before the optimizer step.
        record: called with each step's number, the parts of its loss and its learning rate.
        checkpoints: where checkpoints are kept; None for none.
        tracked: whether callbacks of trackers get the metrics of each step; they are on the main process only.
        rates: learning rate of parameters of the model that have their own.
    """

    loss_is_scaled_for_ga = True  # losses are divided by counts of the whole step

    def __init__(
        self,
        *,
        module: AlignModule,
        guards: Guards,
        record: Record,
        checkpoints: Checkpoints | None,
        tracked: bool = False,
        rates: Mapping[str, float] | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(model=module, **arguments)
        self._guards = guards
        self._record = record
        self._checkpoints = checkpoints
        self._parts: dict[str, Tensor] = {}
        self._rates = {f"model.{name}": rate for name, rate in (rates or {}).items()}
        self._tracked, self._untold = tracked, dict[str, float]()
        if self.is_fsdp_enabled:
            self._set_fsdp()
        self._whole = Whole(module.model) if self.sharded else None

    @property
    def sharded(self) -> bool:
        """Whether each process has only a part of the weights."""
        return bool(self.is_fsdp_enabled or self.is_deepspeed_enabled)

    def _set_fsdp(self) -> None:
        """Reject unsupported FSDP settings, and leave dtypes to autocast, as without shards.

        By default, FSDP2 would compute everything in bfloat16, including norms, gradient sums and losses. Then the
        model would differ from its reference from the start.
        """
        plugin = self.accelerator.state.fsdp_plugin
        if plugin.fsdp_version != 2:
            raise UserError(f"fsdp_version: {plugin.fsdp_version} is not supported; valid: 2, in the accelerate config")
        if plugin.cpu_ram_efficient_loading:
            raise UserError("fsdp_cpu_ram_efficient_loading: must be false in the accelerate config")
        plugin.mixed_precision_policy = MixedPrecisionPolicy()

    def _prepare_for_training(self, *arguments: Any) -> Any:
        model, batches = super()._prepare_for_training(*arguments)
        if self.is_fsdp_enabled and self.args.ddp_find_unused_parameters:
            # A picture on only one process must not change the communication between processes.
            model.set_reduce_scatter_unused_params(True)
        return model, batches

    def create_optimizer(self, model: Any = None) -> Any:
        """Return the library's optimizer, with groups of their own for parameters that have their own learning rate."""
        optimizer = super().create_optimizer(model)
        if self._rates:
            named = self.model if model is None else model
            own = {id(one): self._rates[name] for name, one in named.named_parameters() if name in self._rates}
            optimizer.param_groups[:] = split_groups(optimizer.param_groups, own)
        return optimizer

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    def _get_num_items_in_batch(self, batch_samples: list[list[PassBatch]], device: torch.device) -> Any:
        """Return the counts of the whole step, over all micro-batches and processes."""
        counts = count([batch for passes in batch_samples for batch in passes])
        here = torch.tensor(list(counts.values()), dtype=torch.float64, device=device)
        total = self.accelerator.reduce(here, "sum").tolist()
        return dict(zip(counts, total, strict=True))

    def training_step(self, model: nn.Module, inputs: list[PassBatch], num_items_in_batch: Any = None) -> Tensor:
        """Run the forward and backward pass of each part; return this process's share of the loss."""
        model.train()
        averages = self.accelerator.distributed_type in (DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)
        for number, batch in enumerate(inputs):
            last = number == len(inputs) - 1
            with nullcontext() if last or not averages else self.accelerator.no_sync(model):
                # FSDP2 has no autocast of its own; for other models, a second autocast has no effect.
                with self.compute_loss_context_manager(), self.accelerator.autocast():
                    parts = model(batch.to(self.args.device), num_items_in_batch)
                loss = torch.stack(list(parts.values())).sum()
                self._add(parts)
                if last and self.accelerator.sync_gradients:
                    self._look()  # before the last backward pass, in which DeepSpeed updates the weights
                self._backward(loss)
        return loss.detach()

    def _backward(self, loss: Tensor) -> None:
        # Distributed wrappers average gradients, but the losses are shares of a sum. DeepSpeed would also divide by the
        # number of micro-batches, as if each had its own mean.
        options = {"scale_wrt_gas": False} if self.is_deepspeed_enabled else {}
        self.accelerator.backward(loss * self.accelerator.num_processes, **options)

    def _add(self, parts: dict[str, Tensor]) -> None:
        for name, part in parts.items():
            held = part.detach().double()
            self._parts[name] = self._parts[name] + held if name in self._parts else held

    def _look(self) -> None:
        """Sum the parts over all processes, so that all stop together, and pass them to the guards."""
        total = self.accelerator.reduce(torch.stack(list(self._parts.values())), "sum").tolist()
        parts, self._parts = dict(zip(self._parts, total, strict=True)), {}
        step = self.state.global_step + 1
        self._guards.look(step, parts)
        self._record(step, parts, self._get_learning_rate())
        self._untold = parts

    def _maybe_log_save_evaluate(
        self, tr_loss: Tensor, grad_norm: Any, *arguments: Any, learning_rate: float | None = None, **options: Any
    ) -> None:
        if self._tracked and self._untold:
            rate = self._get_learning_rate() if learning_rate is None else learning_rate
            self.track(metrics_of(self._untold, rate, None if grad_norm is None else float(grad_norm)))
            self._untold = {}  # called again after the last step
        super()._maybe_log_save_evaluate(tr_loss, grad_norm, *arguments, learning_rate=learning_rate, **options)

    def track(self, metrics: Mapping[str, float]) -> None:
        """Pass metrics to the trackers, if there are any; names of measurements begin with "eval_"."""
        if self._tracked:
            self.callback_handler.on_log(self.args, self.state, self.control, dict(metrics))

    def whole_model(self) -> tuple[nn.Module, bool]:
        """Return the trained model, and whether this process has it: if sharded, only the main process does.

        All processes must call it together.
        """
        module = self.accelerator.unwrap_model(self.model_wrapped)
        if self._whole is None:
            return module.model, True
        keeps = bool(self.accelerator.is_main_process)
        gather = gather_fsdp if self.is_fsdp_enabled else gather_zero
        whole = self._whole.filled(module.model, gather, keeps=keeps)
        self.accelerator.free_memory(self.model, self.model_wrapped)
        return (whole.to(self.args.device) if keeps else whole), keeps

    # Checkpoints contain only trained weights; the rest is the unchanged base model. Sharded models are saved whole, in
    # the format of their wrapper.

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the trained weights to a folder; called on all processes, of which the main one writes."""
        self.check_numbers()
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        if self.args.should_save and not self.sharded:
            save_file({name: one.detach().contiguous() for name, one in self._trained(self.model)}, folder / WEIGHTS)

    def check_numbers(self) -> None:
        """Raise `DivergenceError` on all processes if a trained weight is NaN or Inf on any of them."""
        step, error = self.state.global_step, None
        try:
            check_weights(step, self._trained(self.model))
        except DivergenceError as found:
            error = found
        if self.accelerator.reduce(torch.tensor(float(error is not None), device=self.args.device), "sum").item():
            raise error or DivergenceError(step, "a weight on another process is NaN or Inf")

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
        """Load the weights of a checkpoint into the model."""
        if self.is_deepspeed_enabled:
            deepspeed_load_checkpoint(self.model_wrapped, os.fspath(checkpoint))
        else:
            self._load_from_checkpoint(os.fspath(checkpoint), self.model_wrapped if self.is_fsdp_enabled else None)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        assert self._checkpoints is not None
        with tensors_written(self._checkpoints.staging):
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
