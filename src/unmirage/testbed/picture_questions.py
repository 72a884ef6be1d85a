"""Questions about pictures of the synthetic world, to give a grafted model sight (`unmirage graft --see world`)."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unmirage.data import Pictures
from unmirage.errors import UserError
from unmirage.models.graft.settings import GraftSettings
from unmirage.records import Sample
from unmirage.run.progress import StepProgress
from unmirage.testbed.pictures import Picture, draw
from unmirage.testbed.world import COLORS, SHAPES, Device, Split, make_world
from unmirage.workflows.graft import PictureQuestions

TRAINING_PICTURES, HELD_OUT_PICTURES = 800, 100
_TOWER_BATCH, _TOWER_RATE = 64, 3e-3
# Names of the shapes, and questions and answers, as a chat model words them.
SHAPE_NAMES = {"disc": "circle", "cross": "cross", "square": "square", "bar": "line"}
COLOR_QUESTIONS = {
    "What color is the sign in the picture?": "The sign in the picture is {}.",
    "Which color does the sign have?": "The sign is {}.",
}
SHAPE_QUESTIONS = {
    "What is the shape on the badge in the picture?": "The shape on the badge is a {}.",
    "Which shape does the badge show?": "The badge shows a {}.",
}


class DrawnPictures(Pictures):
    """Pictures in memory, by name."""

    def __init__(self, pictures: Mapping[str, Picture]) -> None:
        super().__init__()
        self._pictures = pictures

    def exists(self, relative: str) -> bool:
        """Return whether there is a picture of this name."""
        return relative in self._pictures

    def _file(self, relative: str) -> BinaryIO:
        if relative not in self._pictures:
            raise UserError(f"image {relative!r} is missing")
        file = io.BytesIO()
        self._pictures[relative].image().save(file, format="PNG")
        file.seek(0)
        return file


def world_questions(
    seed: int = 0, training_pictures: int = TRAINING_PICTURES, held_out_pictures: int = HELD_OUT_PICTURES
) -> PictureQuestions:
    """Return questions about the color of a device's sign and the shape on its badge.

    Held-out pictures show devices that no training picture shows.

    Args:
        seed: of the world and the pictures.
        training_pictures, held_out_pictures: numbers of pictures; each has one question of both kinds.
    """
    world = make_world(seed)
    rng, pixels = random.Random(f"lessons-{seed}"), np.random.default_rng([seed, 11])
    aligned, evaluation = world.pick(split=Split.ALIGNED), world.pick(split=Split.EVALUATION)
    pictures: dict[str, Picture] = {}

    def about(name: str, devices: Sequence[Device], count: int) -> list[Sample]:
        samples: list[Sample] = []
        for number in range(count):
            path = f"{name}/{number:05d}.png"
            shown = pictures[path] = draw(devices[number % len(devices)], pixels)
            for questions, value in ((COLOR_QUESTIONS, shown.color), (SHAPE_QUESTIONS, SHAPE_NAMES[shown.shape])):
                query = rng.choice(list(questions))
                samples.append(_sample(f"{name}-{len(samples)}", path, query, questions[query].format(value)))
        return samples

    train = about("train", aligned, training_pictures)
    held_out = about("held-out", evaluation, held_out_pictures)

    return PictureQuestions("world", {}, train, held_out, DrawnPictures(pictures), _TowerTraining(seed, aligned))


@dataclass(frozen=True, slots=True)
class _TowerTraining:
    """Trains tower and projector to classify pictures of `devices`, and to project them to words."""

    seed: int
    devices: Sequence[Device]

    def __call__(self, model: Any, processor: Any, settings: GraftSettings, progress: StepProgress | None) -> float:
        """Train; return the share of the last pictures whose color and shape are both classified correctly.

        The loss is the cross-entropy of a linear classifier of color and shape on the tower, plus the squared distance
        of the projected tokens to the decoder's embeddings of a text such as "red red circle circle", relative to
        the embeddings' variance. The language loss then starts from pictures that read like words.
        """
        tower, projector = model.model.vision_tower, model.model.multi_modal_projector
        names = [list(COLORS), [SHAPE_NAMES[shape] for shape in SHAPES]]
        words = [_embedded(model, processor, one) for one in names]
        variance = torch.cat(words).var()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            heads = nn.ModuleList([nn.Linear(settings.tower, len(one)) for one in names])
        parameters = [*tower.parameters(), *projector.parameters(), *heads.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=_TOWER_RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _TOWER_RATE, total_steps=settings.tower_steps)
        rng = np.random.default_rng([self.seed, settings.seed, 13])
        accuracy = 0.0
        for step in range(settings.tower_steps):
            pixels, targets = self._batch(processor, rng)
            features = tower(pixel_values=pixels).last_hidden_state[:, 1:]  # without the class token, as in LLaVA
            classes = [head(features.amax(1)) for head in heads]
            color, shape = (table[target] for table, target in zip(words, targets, strict=True))
            apart = projector(features) - _caption(color, shape, settings.image_tokens)
            losses = [F.cross_entropy(one, target) for one, target in zip(classes, targets, strict=True)]
            optimizer.zero_grad()
            torch.stack([*losses, apart.square().mean() / variance]).sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            right = [one.argmax(-1) == target for one, target in zip(classes, targets, strict=True)]
            accuracy = float(torch.stack(right).all(0).float().mean())
            if progress is not None:
                progress(step + 1, settings.tower_steps)
        return accuracy

    def _batch(self, processor: Any, rng: np.random.Generator) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return pixel values (batch, 3, side, side) and the indices of color and shape, (batch,) each."""
        pictures = [draw(self.devices[index], rng) for index in rng.integers(len(self.devices), size=_TOWER_BATCH)]
        pixels = processor.image_processor([one.image() for one in pictures], return_tensors="pt")["pixel_values"]
        colors = torch.tensor([list(COLORS).index(one.color) for one in pictures])
        return pixels, (colors, torch.tensor([SHAPES.index(one.shape) for one in pictures]))


def _caption(color: Tensor, shape: Tensor, tokens: int) -> Tensor:
    """Return the embeddings of a text such as "red red circle circle": (batch, tokens, width).

    A single token gets the mean of color and shape.
    """
    if tokens == 1:
        return (color + shape)[:, None] / 2
    first = (tokens + 1) // 2
    return torch.stack([color] * first + [shape] * (tokens - first), dim=1)


def _embedded(model: Any, processor: Any, words: Iterable[str]) -> Tensor:
    """Return the decoder's embedding of each word, the mean of its tokens: (words, width)."""
    table = model.get_input_embeddings()
    tokens = [processor.tokenizer(f" {word}", add_special_tokens=False)["input_ids"] for word in words]
    with torch.no_grad():
        return torch.stack([table(torch.tensor(ids)).mean(0) for ids in tokens])


def _sample(identity: str, path: str, query: str, answer: str) -> Sample:
    return Sample(
        id=identity,
        record=identity,
        query=query,
        answer=answer,
        image=path,
        refused=None,
        label_source="none",
    )
