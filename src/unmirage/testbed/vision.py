"""Pretrain the vision tower by classification of the device, its color and its badge, in place of CLIP pretraining."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from unmirage.testbed.pictures import draw
from unmirage.testbed.world import COLORS, SHAPES, World


class VisionConfig(BaseModel):
    """Settings of the vision tower's pretraining."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = 700
    batch_size: int = 160
    learning_rate: float = 3e-3


def pretrain_vision(
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    world: World,
    config: VisionConfig,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> float:
    """Train the tower on randomly drawn pictures; return the accuracy on the last batch (all labels right)."""
    tower = model.model.vision_tower
    width = tower.config.hidden_size
    torch.manual_seed(seed)
    heads = nn.ModuleList(
        [nn.Linear(width, len(world.devices)), nn.Linear(width, len(COLORS)), nn.Linear(width, len(SHAPES))]
    )
    parameters = [*tower.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, total_steps=config.steps)
    rng = np.random.default_rng([world.seed, seed, 7])
    accuracy = 0.0
    tower.train()
    for step in range(config.steps):
        pixels, targets = _batch(processor, world, config.batch_size, rng)
        pooled = tower(pixel_values=pixels).last_hidden_state[:, 1:].amax(1)  # without the class token, as in LLaVA
        logits = [head(pooled) for head in heads]
        loss = torch.stack([F.cross_entropy(one, target) for one, target in zip(logits, targets, strict=True)]).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        right = [one.argmax(-1) == target for one, target in zip(logits, targets, strict=True)]
        accuracy = float(torch.stack(right).all(0).float().mean())
        if progress is not None:
            progress(step + 1, config.steps)
    tower.eval()
    return accuracy


def _batch(
    processor: LlavaProcessor, world: World, size: int, rng: np.random.Generator
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return pixel values (batch, 3, 40, 40) and the indices of device, color and shape, (batch,) each."""
    devices = rng.integers(len(world.devices), size=size)
    pictures = [draw(world.devices[index], rng) for index in devices]
    pixels = processor.image_processor([p.image() for p in pictures], return_tensors="pt")["pixel_values"]
    colors = torch.tensor([list(COLORS).index(p.color) for p in pictures])
    shapes = torch.tensor([SHAPES.index(p.shape) for p in pictures])
    return pixels, (torch.from_numpy(devices), colors, shapes)
