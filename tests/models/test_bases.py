"""Bases of adapters: found wherever both were moved to, replaced by hand, and never taken for another one."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from unmirage import load_model
from unmirage.align import AlignConfig
from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM
from unmirage.models.bases import base_of, identity
from unmirage.workflows.align import AlignFiles, train_and_save

CONFIG, WEIGHTS, RECORD = "adapter_config.json", "adapter_model.safetensors", "unmirage_adapter.json"


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a base model and an adapter on it."""
    root = tmp_path_factory.mktemp("made")
    shutil.copytree(tiny.model, root / "models" / "base")
    config = AlignConfig(lora=2, learning_rate=1e-2, warmup=0, batch_size=2, steps=1, trainable=("language",))
    files = AlignFiles(retain=[tiny.data / "general.json"])
    train_and_save(str(root / "models" / "base"), files, config, root / "runs" / "lora", adapter_only=True)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """Return a copy of the folder in another place."""
    shutil.copytree(made, tmp_path / "moved")
    return tmp_path / "moved"


def change(file: Path, **fields: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def same(one: HuggingFaceVLM, other: HuggingFaceVLM) -> bool:
    held, wanted = one.model.state_dict(), other.model.state_dict()
    return all(torch.equal(tensor, wanted[name]) for name, tensor in held.items())


def test_moved_together_they_find_each_other(made: Path, root: Path, caplog: pytest.LogCaptureFixture) -> None:
    named = json.loads((root / "runs" / "lora" / CONFIG).read_text())["base_model_name_or_path"]
    assert named == "../../models/base"
    assert Path(base_of(root / "runs" / "lora")).resolve() == (root / "models" / "base").resolve()
    with caplog.at_level(logging.WARNING):
        assert same(HuggingFaceVLM.load(root / "runs" / "lora"), HuggingFaceVLM.load(made / "runs" / "lora"))
    assert "base" not in caplog.text
    record = json.loads((root / "runs" / "lora" / RECORD).read_text())
    assert record["model_type"] == "llava"
    assert record["files"] == identity(str(root / "models" / "base"), "")


def test_moved_alone_it_falls_back_on_the_path_of_its_record(
    made: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(made / "runs" / "lora", tmp_path / "lora")
    with caplog.at_level(logging.WARNING):
        assert same(HuggingFaceVLM.load(tmp_path / "lora"), HuggingFaceVLM.load(made / "runs" / "lora"))
    assert f"'../../models/base' does not exist; '{made}/models/base' of {RECORD} is the base" in caplog.text
    change(tmp_path / "lora" / RECORD, base="gone")
    with pytest.raises(UserError, match=r"neither a hub id nor a directory, .*; name the base with --base DIR"):
        HuggingFaceVLM.load(tmp_path / "lora")


def test_another_base_can_be_named_and_is_said_to_be_another(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    adapter, other = root / "runs" / "lora", root / "other"
    (root / "models" / "base").rename(other)
    with caplog.at_level(logging.WARNING):
        vlm = load_model(adapter, base=other)
    assert "is not the one" not in caplog.text
    assert vlm.base == str(other)
    change(adapter / RECORD, base="gone")
    weights = load_file(other / "model.safetensors")
    save_file({name: one + 1 for name, one in weights.items()}, other / "model.safetensors", metadata={"format": "pt"})
    with caplog.at_level(logging.WARNING):
        assert not same(load_model(adapter, base=other), vlm)
    assert f"its base '{other}' is not the one that it was trained on; model.safetensors differ" in caplog.text


def test_whether_a_hub_id_and_a_directory_are_the_same_is_unknown(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    change(root / "runs" / "lora" / RECORD, files={"hub": "owner/name", "commit": "a" * 40})
    with caplog.at_level(logging.WARNING):
        HuggingFaceVLM.load(root / "runs" / "lora")
    assert "was trained on 'owner/name'; whether" in caplog.text


def test_an_adapter_of_another_family_is_refused(root: Path) -> None:
    """Names and shapes fit, as those of two families with the same decoder do."""
    adapter = root / "runs" / "lora"
    change(adapter / RECORD, model_type="vipllava")
    message = r"was trained on a model of type 'vipllava', but the base has type 'llava'; name its own base"
    with pytest.raises(UserError, match=message):
        HuggingFaceVLM.load(adapter)
    (adapter / RECORD).unlink()
    assert HuggingFaceVLM.load(adapter)
    change(adapter / CONFIG, auto_mapping={"base_model_class": "VipLlavaForConditionalGeneration"})
    with pytest.raises(UserError, match=message):
        HuggingFaceVLM.load(adapter)
    change(adapter / CONFIG, auto_mapping={"base_model_class": "SomethingOfTheirs"})
    assert HuggingFaceVLM.load(adapter)


@pytest.mark.parametrize(
    ("model", "message"),
    [("models/base", "is no adapter, so it has no base; leave --base out"), ("endpoint:http://x/v1#m", "on a server")],
)
def test_only_an_adapter_has_a_base(made: Path, model: str, message: str) -> None:
    source = model if model.startswith("endpoint") else str(made / model)
    with pytest.raises(UserError, match=message):
        load_model(source, base=made / "models" / "base")


PATTERN = r"^(?!.*vision)language_model\.model\.layers.*proj$"


@pytest.mark.parametrize("targets", [PATTERN, None], ids=["pattern", "names"])
def test_settings_with_names_of_older_versions(made: Path, root: Path, targets: str | None) -> None:
    """Before transformers 4.52, the decoder of LLaVA was `language_model.model`."""
    adapter = root / "runs" / "lora"
    (adapter / RECORD).unlink()
    older = {
        name.replace("model.language_model.layers", "language_model.model.layers"): one
        for name, one in load_file(adapter / WEIGHTS).items()
    }
    save_file(older, adapter / WEIGHTS)
    names = [name.removeprefix("base_model.model.").partition(".lora_")[0] for name in older]
    change(adapter / CONFIG, target_modules=targets or sorted(set(names)))
    assert same(HuggingFaceVLM.load(adapter), HuggingFaceVLM.load(made / "runs" / "lora"))


def test_the_command_line_replaces_a_base(unmirage, tiny, root: Path) -> None:
    (root / "models" / "base").rename(root / "other")
    change(root / "runs" / "lora" / RECORD, base="gone")
    command = ("attack", root / "runs" / "lora", tiny.data / "test.json", "--word", "jailbreak=what", "--kind",
               "jailbreak", "--limit", "2", "--max-new-tokens", "2", "--out", root / "run")  # fmt: skip
    code, _, err = unmirage(*command)
    assert (code, "name the base with --base DIR" in err) == (2, True), err
    code, _, err = unmirage(*command, "--base", root / "other")
    assert code == 0, err
    dry = ("align", root / "runs" / "lora", "--train", tiny.data / "general.json", "--dry-run")
    code, _, err = unmirage(*dry, "--base", root / "other")
    assert code == 0, err
