"""Every family of VLMs as a fixture: a test that takes `family` runs for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.tiny_families import FAMILIES, load_processor, pictures

from unmirage.data import ImageFolder
from unmirage.models import HuggingFaceVLM

# PaliGemma's processor lets numpy copy a tensor to make labels that nobody asked for; torch does not know the keyword.
_WARNS = {"paligemma": pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")}


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


@pytest.fixture(scope="session", params=[pytest.param(name, marks=_WARNS.get(name, ())) for name in FAMILIES])
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
