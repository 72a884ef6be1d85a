"""Teach the vision tower to see before it meets language, as CLIP is: classify the device and its colour."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from unmirage.testbed.pictures import draw
from unmirage.testbed.world import COLOURS, World


class VisionConfig(BaseModel):
    """Settings of the vision tower's pretraining."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = 300
    batch_size: int = 128
    learning_rate: float = 3e-3


def pretrain_vision(
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    world: World,
    config: VisionConfig,
    progress: Callable[[int, int], None] | None = None,
) -> float:
    """Train the tower on freshly drawn pictures; return the accuracy on the last batch (both labels right)."""
    tower = model.model.vision_tower
    width = tower.config.hidden_size
    colours = list(COLOURS)
    torch.manual_seed(world.seed)
    heads = nn.ModuleList([nn.Linear(width, len(world.devices)), nn.Linear(width, len(colours))])
    parameters = [*tower.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=config.steps)
    rng = np.random.default_rng([world.seed, 7])
    accuracy = 0.0
    tower.train()
    for step in range(config.steps):
        pixels, targets = _batch(processor, world, config.batch_size, rng, colours)
        pooled = tower(pixel_values=pixels).last_hidden_state.mean(1)
        logits = [head(pooled) for head in heads]
        loss = torch.stack([F.cross_entropy(one, target) for one, target in zip(logits, targets, strict=True)]).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        right = [one.argmax(-1) == target for one, target in zip(logits, targets, strict=True)]
        accuracy = float((right[0] & right[1]).float().mean())
        if progress is not None:
            progress(step + 1, config.steps)
    tower.eval()
    return accuracy


def _batch(
    processor: LlavaProcessor, world: World, size: int, rng: np.random.Generator, colours: list[str]
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Return pixel values (batch, 3, 32, 32) and the device and colour indices (batch,)."""
    devices = rng.integers(len(world.devices), size=size)
    pictures = [draw(world.devices[index], rng) for index in devices]
    pixels = processor.image_processor([p.image() for p in pictures], return_tensors="pt")["pixel_values"]
    tints = torch.tensor([colours.index(p.colour) for p in pictures])
    return pixels, (torch.from_numpy(devices), tints)
