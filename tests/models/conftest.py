"""Every family of VLMs as a fixture: a test that takes `family` runs for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.tiny_families import FAMILIES, load_processor, pictures

from unmirage.data import ImageFolder
from unmirage.models import HuggingFaceVLM

# These processors let numpy copy a tensor; torch does not know the keyword.
_COPIES = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
# peft names a weight of experts that the model of this type calls otherwise.
_NAMES = pytest.mark.filterwarnings("ignore:The following (rank|alpha)_pattern keys did not match")
_WARNS = {
    "paligemma": [_COPIES], "glm4v": [_COPIES], "glm46v": [_COPIES], "glm4v-moe": [_COPIES, _NAMES],
}  # fmt: skip


@dataclass(frozen=True)
class Family:
    """A tiny model of one family. It is shared, so a test that changes it takes a `fresh` one."""

    name: str
    model: Any
    processor: Any

    @property
    def vlm(self) -> HuggingFaceVLM:
        return HuggingFaceVLM(self.name, self.model, self.processor)

    def fresh(self) -> Family:
        """Return the same model and processor, made anew."""
        return Family(self.name, *FAMILIES[self.name]())

    def load_processor(self, folder: Path) -> Any:
        """Load its processor from a folder, without torchvision."""
        return load_processor(self.name, folder)


@cache
def _built(name: str) -> Family:
    return Family(name, *FAMILIES[name]())


@pytest.fixture(autouse=True)
def _one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let one thread do it: matrices this small are no work for two, which wait for each other on a busy machine."""
    before = torch.get_num_threads()
    if "family" in request.fixturenames:
        torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def families(names: Iterable[str] = FAMILIES) -> list[Any]:
    """Return parameters of the fixture `family`: for tests that take some families only."""
    return [pytest.param(name, marks=marks_of(name)) for name in names]


def marks_of(name: str) -> list[Any]:
    """Return the marks of a test with this family."""
    return _WARNS.get(name, [])


@pytest.fixture(scope="session", params=families())
def family(request: pytest.FixtureRequest) -> Family:
    """Return each family in turn."""
    return _built(request.param)


@pytest.fixture(scope="session")
def family_images(tmp_path_factory: pytest.TempPathFactory) -> ImageFolder:
    """Return a folder of pictures "0.png" to "9.png", of different sizes."""
    root = tmp_path_factory.mktemp("family-images")
    for number, picture in enumerate(pictures(10)):
        picture.save(root / f"{number}.png")
    return ImageFolder(root)
