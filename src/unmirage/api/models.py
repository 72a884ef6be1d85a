"""Load models, and convert checkpoints of the original LLaVA code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.api.checks import checked
from unmirage.run.progress import Progress
from unmirage.workflows.arguments import PathLike, silent

if TYPE_CHECKING:
    from unmirage.models import VLM
    from unmirage.models.original_llava import Converted


@checked
def load_model(
    model: PathLike,
    name: str | None = None,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
    thinking: str = "auto",
    dtype: str = "auto",
    device: str = "auto",
    **endpoint: Any,
) -> VLM:
    """Load a model from a directory or a hub id, or connect to a server.

    Args:
        model: directory, hub id, or "endpoint:URL#model-name".
        name: name of the model in tables; None for the last part of `model`.
        revision: commit of a hub id.
        trust_remote_code: run code of the model's repository; needs a full commit as `revision`.
        thinking: reasoning before the response: "on", "off", or "auto" for the chat template's default.
        dtype: dtype of the weights: "float32", "bfloat16", or "auto": float32 on a CPU, the checkpoint's on a GPU.
        device: "cpu", "cuda", "cuda:1", "mps", or "auto": a GPU of CUDA if there is one, else the CPU.
        endpoint: settings of a server, such as `concurrency`; fields of `EndpointSettings`.
    """
    from unmirage.workflows.models import check_endpoint, load_vlm

    check_endpoint(endpoint, model)
    return load_vlm(
        str(model),
        name,
        endpoint,
        revision=revision,
        trust_remote_code=trust_remote_code,
        thinking=thinking,
        dtype=dtype,
        device=device,
    )


@checked
def convert(
    source: PathLike,
    out: PathLike,
    *,
    vision_tower: PathLike | None = None,
    base: PathLike | None = None,
    from_pickle: bool = False,
    progress: Progress | None = None,
) -> Converted:
    """Convert a checkpoint of the original LLaVA code to a model directory.

    Args:
        source: folder or hub id of the checkpoint or LoRA adapter.
        out: the new model directory; must not exist.
        vision_tower: CLIP model, if `source` has no vision tower: folder or hub id.
        base: base model of a LoRA adapter: folder or hub id.
        from_pickle: read .bin files with torch's restricted unpickler, which runs no code.
        progress: called while tensors are written, in MB.
    """
    from unmirage.models.original_llava import convert as run_convert

    told = progress or silent
    return run_convert(
        str(source),
        Path(out),
        vision_tower=None if vision_tower is None else str(vision_tower),
        base=None if base is None else str(base),
        from_pickle=from_pickle,
        progress=lambda done, total: told("convert (MB)", done // 10**6, max(1, total // 10**6)),
    )
