"""The base model of a world, which knows all devices and answers all questions: shipped, cached, or trained."""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from unmirage.align import AlignData, align
from unmirage.data import ImageFolder, load_samples
from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM
from unmirage.run import new_folder
from unmirage.run.cache import cache_folder
from unmirage.run.files import write_json_atomic
from unmirage.run.fingerprint import sha256_of
from unmirage.run.progress import Progress, in_stage
from unmirage.testbed.settings import BASE, StudySettings
from unmirage.testbed.vlm import make_model, make_processor, pretrain_vision
from unmirage.testbed.world import World
from unmirage.workflows.processes import one_thread

COMMAND = "unmirage demo --train-base"
_WEIGHTS, _MADE = "model.safetensors", "made.json"


def shipped_folder() -> Path:
    """Return the folder of the shipped model; it may not exist."""
    return Path(str(files("unmirage.testbed"))) / "base_world_0"


def shipped_base(data: Path, settings: StudySettings, seed: int) -> Path | None:
    """Return the shipped model's folder if it was made from the same data, settings and seed; None otherwise.

    Raises:
        UserError: the hash of the weights differs from the recorded one.
    """
    folder = shipped_folder()
    if not (folder / _MADE).is_file():
        return None
    made = json.loads((folder / _MADE).read_text(encoding="utf-8"))
    if made["made_from"] != _made_from(data, settings, seed):
        return None
    if sha256_of(folder / _WEIGHTS) != made["sha256"]:
        raise UserError(
            f"{folder / _WEIGHTS}: file is corrupt, its hash differs from the recorded one; reinstall unmirage, or "
            f"retrain it with `{COMMAND}`"
        )
    return folder


def ship(model: Path, data: Path, settings: StudySettings, seed: int, commit: str) -> None:
    """Copy a trained base model into the package, with hash, settings and the command that reproduces it."""
    target = shipped_folder()
    shutil.rmtree(target, ignore_errors=True)
    with new_folder(target) as new:
        for file in model.iterdir():
            if file.name != "README.md" and not file.name.startswith("unmirage_"):
                shutil.copyfile(file, new / file.name)
        made = {
            "command": COMMAND,
            "commit": commit,
            "sha256": sha256_of(new / _WEIGHTS),
            "made_from": _made_from(data, settings, seed),
        }
        write_json_atomic(new / _MADE, made)


def _made_from(data: Path, settings: StudySettings, seed: int) -> dict[str, Any]:
    """Return everything that determines the weights; pictures follow from the world's settings and the corpus."""
    return {
        "base.json": sha256_of(data / "base.json"),
        "seed": seed,
        **settings.model_dump(mode="json", include={"world", "corpus", "vision", "base"}),
    }


def base_model(
    world: World,
    data: Path,
    settings: StudySettings,
    seed: int,
    progress: Progress | None = None,
    *,
    shipped: bool = True,
) -> HuggingFaceVLM:
    """Return the base model for these data, settings and seed; train it only if it is neither shipped nor cached.

    Args:
        data: folder of `write_corpus`; `base.json` is the training set.
        progress: called after each step; the first stage is "see", the others are those of `align`.
        shipped: use the base model in the package if it was made from the same data and settings.
    """
    samples = load_samples(data / "base.json")
    processor = make_processor(text for sample in samples for text in (sample.query, sample.answer))
    config = settings.base.model_copy(update={"seed": seed})
    if shipped and (folder := shipped_base(data, settings, seed)) is not None:
        return HuggingFaceVLM.load(folder, BASE)
    model = make_model(processor, seed)
    folder = cache_folder() / f"base-{_content_hash(data, model, processor, settings.vision, config)}"
    if not folder.is_dir():
        with one_thread():
            pretrain_vision(model, processor, world, settings.vision, seed, in_stage(progress, "see"))
            vlm = HuggingFaceVLM(BASE, model, processor)
            align(vlm, AlignData(retain=samples.samples, images=ImageFolder(data)), config, progress)
        with new_folder(folder) as new:
            vlm.save(new)
    return HuggingFaceVLM.load(folder, BASE)


def _content_hash(
    data: Path, model: LlavaForConditionalGeneration, processor: LlavaProcessor, *settings: BaseModel
) -> str:
    """Hash everything that the trained weights depend on: data, initial weights, tokenizer, settings, torch version."""
    digest = hashlib.sha256(torch.__version__.encode())
    for path in (data / "base.json", *sorted((data / "images" / "base").iterdir())):
        digest.update(path.read_bytes())
    digest.update(processor.tokenizer.backend_tokenizer.to_str().encode())
    digest.update(processor.chat_template.encode())
    digest.update(model.config.to_json_string().encode())
    state: dict[str, Any] = model.state_dict()
    for name, tensor in sorted(state.items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    for one in settings:
        digest.update(one.model_dump_json().encode())
    return digest.hexdigest()[:16]
