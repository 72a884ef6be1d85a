"""Before a training: who may use its work directory, and whether this machine can do what its settings need."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.errors import UserError
from unmirage.run import open_run

if TYPE_CHECKING:
    from unmirage.align import AlignConfig


@contextmanager
def claimed(folder: Path, identity: dict[str, Any]) -> Iterator[None]:
    """Lock a work directory on the main process; a training that fails with nothing to resume leaves it to any other.

    Raises:
        UserError: it holds a step or a checkpoint of a training with other settings, or another process uses it.
    """
    from unmirage.align.processes import is_main_process
    from unmirage.align.watch import StopError
    from unmirage.align.work_directory import Work

    work = Work(folder, keep_last=1)
    if not is_main_process():
        yield
        return
    with open_run(folder, identity, abandoned=lambda _: work.clear_abandoned()):
        try:
            yield
        except StopError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except Exception:
            work.forget_unsaved()
            raise


def check_machine(config: AlignConfig, *, adapter_only: bool) -> None:
    """Raise `UserError` if this machine, or a setting beside it, does not fit 4 bits or an optimizer of 8 bits.

    Args:
        config: the settings.
        adapter_only: whether only the adapter is saved.
    """
    from unmirage.align.arguments import check_optimizer
    from unmirage.align.processes import by_deepspeed, by_fsdp, on_gpu
    from unmirage.models.quantized import check_bitsandbytes

    check_optimizer(config)
    if config.lora is None or config.lora.bits is None:
        return
    check_bitsandbytes("lora.bits 4", gpu=on_gpu())
    if not adapter_only:
        raise UserError("lora.bits: an adapter cannot be merged into 4-bit weights; save it alone with --save adapter")
    if by_fsdp() or by_deepspeed():
        raise UserError("lora.bits: does not work with FSDP or DeepSpeed; train on one GPU, or with DDP")


def loading_of(
    model: str, config: AlignConfig, *, revision: str | None = None, trust_remote_code: bool = False
) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` that hold adapted matrices in 4 bits, if the settings ask for it.

    Raises:
        UserError: the model is an adapter.
    """
    if config.lora is None or config.lora.bits is None:
        return {}
    from unmirage.align.estimate.skeleton import Skeleton
    from unmirage.align.lora import adapted_modules
    from unmirage.align.processes import processes
    from unmirage.models.folder import is_adapter, local_folder
    from unmirage.models.quantized import four_bits

    if is_adapter(Path(model)):
        raise UserError(f"lora.bits: '{model}' is an adapter, but 4 bits need a whole model; merge it first")
    skeleton = Skeleton.of(local_folder(model, revision, trust_remote_code=trust_remote_code)).model
    return four_bits(skeleton, adapted_modules(skeleton, config), processes().device)
