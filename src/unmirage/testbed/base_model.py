"""The base model of a world, which knows all devices and answers all questions: shipped, cached, or trained."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from unmirage.align import AlignData, align
from unmirage.align.run import Progress
from unmirage.data import ImageFolder, load_samples
from unmirage.models import HuggingFaceVLM
from unmirage.run import new_folder
from unmirage.run.cache import cache_folder
from unmirage.testbed.settings import BASE, StudySettings
from unmirage.testbed.shipped import shipped_base
from unmirage.testbed.vision import pretrain_vision
from unmirage.testbed.vlm import make_model, make_processor
from unmirage.testbed.workers import one_thread
from unmirage.testbed.world import World


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
        world: the world whose devices the model learns.
        data: folder of `write_corpus`; `base.json` is the training set.
        settings: settings of vision pretraining and language training.
        seed: seed of initial weights, vision pretraining and language training.
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
            see = None if progress is None else partial(progress, "see")
            pretrain_vision(model, processor, world, settings.vision, seed, see)
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
    for name, tensor in _sorted_state(model):
        digest.update(name.encode() + tensor.numpy().tobytes())
    for one in settings:
        digest.update(one.model_dump_json().encode())
    return digest.hexdigest()[:16]


def _sorted_state(model: LlavaForConditionalGeneration) -> list[tuple[str, Any]]:
    return sorted(model.state_dict().items())
