"""The base model in the package: taken only for the data, settings and seed that made it, and only if it is intact."""

import hashlib
import json
import shutil
import tomllib
from pathlib import Path

import pytest

from unmirage.align import AlignConfig
from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM
from unmirage.testbed.base_model import base_model, ship, shipped_base, shipped_folder
from unmirage.testbed.corpus import write_corpus
from unmirage.testbed.settings import StudySettings
from unmirage.testbed.vlm import VisionConfig
from unmirage.testbed.world import make_world

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(tiny):
    return StudySettings(
        world=tiny.world.settings,
        vision=VisionConfig(steps=1, batch_size=4),
        base=AlignConfig(learning_rate=1e-3, batch_size=4, steps=1),
    )


@pytest.fixture
def package(tiny, settings, tmp_path, monkeypatch):
    """Return a folder in the place of the package's, with the tiny model shipped for the tiny world's data."""
    folder = tmp_path / "package" / "base_world_0"
    folder.parent.mkdir()
    monkeypatch.setattr("unmirage.testbed.base_model.shipped_folder", lambda: folder)
    monkeypatch.setenv("UNMIRAGE_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "source"
    shutil.copytree(tiny.model, source)
    (source / "README.md").write_text("card")
    (source / "unmirage_align.json").write_text("{}")
    ship(source, tiny.data, settings, 0, "abc123")
    return folder


def test_it_ships_with_hash_commit_and_command_and_without_files_of_the_run(package, tiny):
    made = json.loads((package / "made.json").read_text())
    assert made["commit"] == "abc123"
    assert made["command"] == "unmirage demo --train-base"
    assert made["sha256"] == hashlib.sha256((tiny.model / "model.safetensors").read_bytes()).hexdigest()
    assert made["made_from"]["base.json"] == hashlib.sha256((tiny.data / "base.json").read_bytes()).hexdigest()
    assert {path.name for path in package.iterdir()} == {path.name for path in tiny.model.iterdir()} | {"made.json"}


def test_it_is_taken_for_what_made_it(package, tiny, settings):
    assert shipped_base(tiny.data, settings, 0) == package
    # What is done with the base model later does not change it.
    assert shipped_base(tiny.data, settings.model_copy(update={"models": {}, "shots": 9}), 0) == package


def changed(settings, part, **values):
    return settings.model_copy(update={part: getattr(settings, part).model_copy(update=values)})


@pytest.mark.parametrize(
    "change",
    [
        lambda settings: changed(settings, "world", signal=0.5),
        lambda settings: changed(settings, "world", aligned=5),
        lambda settings: changed(settings, "corpus", general=13),
        lambda settings: changed(settings, "vision", steps=2),
        lambda settings: changed(settings, "base", learning_rate=2e-3),
    ],
    ids=["signal", "devices", "corpus", "vision", "training"],
)
def test_other_settings_get_none(package, tiny, settings, change):
    assert shipped_base(tiny.data, change(settings), 0) is None


def test_another_seed_or_other_data_get_none(package, tiny, settings, tmp_path):
    assert shipped_base(tiny.data, settings, 1) is None
    data = tmp_path / "data"
    data.mkdir()
    (data / "base.json").write_bytes((tiny.data / "base.json").read_bytes() + b"\n")
    assert shipped_base(data, settings, 0) is None


def test_without_a_shipped_model_there_is_none(tiny, settings, tmp_path, monkeypatch):
    monkeypatch.setattr("unmirage.testbed.base_model.shipped_folder", lambda: tmp_path / "nothing")
    assert shipped_base(tiny.data, settings, 0) is None


def test_a_flipped_byte_is_refused_by_name(package, tiny, settings):
    weights = package / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.safetensors: file is corrupt.*--train-base"):
        shipped_base(tiny.data, settings, 0)
    assert shipped_base(tiny.data, settings, 1) is None  # for other runs it does not matter


def test_the_base_model_is_the_shipped_one_unless_it_is_to_be_trained(package, tiny, settings, tmp_path):
    stages = set()

    def made(seed=0, **how):
        return base_model(tiny.world, tiny.data, settings, seed, lambda stage, *_: stages.add(stage), **how)

    def equal(vlm):
        own, others = vlm.model.state_dict(), tiny.load().model.state_dict()
        return all((own[name] == tensor).all() for name, tensor in others.items())

    vlm = made()
    assert (vlm.name, stages) == ("base", set())
    assert equal(vlm)
    assert not (tmp_path / "cache").exists()
    assert not equal(made(shipped=False))
    assert stages >= {"see", "align"}
    stages.clear()
    assert not equal(made(seed=1))
    assert stages >= {"see", "align"}


@pytest.mark.slow
def test_the_package_ships_the_base_model_of_todays_world_0(tmp_path):
    """Its data, settings and hash are today's, so that the demo need not train it; else ship it again."""
    settings = StudySettings()
    data = tmp_path / "data"
    write_corpus(make_world(0, settings.world), settings.corpus, data)
    folder = shipped_base(data, settings, 0)
    assert folder == shipped_folder()
    vlm = HuggingFaceVLM.load(folder, "base")
    assert sum(parameter.numel() for parameter in vlm.model.parameters()) == 1_201_408
    package_data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert "testbed/base_world_0/*" in package_data["unmirage"]
