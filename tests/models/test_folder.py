"""Directories of models before they are loaded: shards, tensors and code that are not as they should be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM, folder
from unmirage.models.folder import check_weights, local_folder

COMMIT = "0123456789abcdef0123456789abcdef01234567"
INDEX = "model.safetensors.index.json"


@pytest.fixture
def model(tiny, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny.model, tmp_path / "model"))


@pytest.fixture
def sharded(tiny, tmp_path: Path) -> Path:
    """Return the model in several shards."""
    made = tmp_path / "sharded"
    vlm = tiny.load()
    vlm.model.save_pretrained(made, max_shard_size="200KB")
    vlm.save_processor(made)
    assert len(list(made.glob("*.safetensors"))) > 2
    return made


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("model-*.safetensors"))


def test_shards_load_as_one_file_does(tiny, sharded: Path) -> None:
    held = HuggingFaceVLM.load(sharded).model.state_dict()
    assert all(torch.equal(tensor, held[name]) for name, tensor in tiny.load().model.state_dict().items())


def test_a_shard_that_is_missing(sharded: Path) -> None:
    gone = shards(sharded)[1]
    gone.unlink()
    with pytest.raises(UserError, match=rf"{gone.name}, listed in {INDEX}, is missing; download it again"):
        HuggingFaceVLM.load(sharded)


def test_a_shard_that_is_cut_off(sharded: Path) -> None:
    short = shards(sharded)[0]
    short.write_bytes(short.read_bytes()[:-4])
    with pytest.raises(UserError, match=rf"sharded': cannot be loaded: {short.name} is corrupt or truncated"):
        HuggingFaceVLM.load(sharded)


def test_a_shard_that_lacks_a_tensor(sharded: Path) -> None:
    held = load_file(shards(sharded)[1])
    name = min(held)
    save_file({key: one for key, one in held.items() if key != name}, shards(sharded)[1], {"format": "pt"})
    with pytest.raises(UserError, match=rf"{shards(sharded)[1].name}: lacks {name}, which {INDEX} lists for it"):
        HuggingFaceVLM.load(sharded)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "invalid JSON"),
        ("[]", "not a JSON object"),
        ('{"weight_map": {}}', "weight_map does not map tensors to files"),
        ('{"weight_map": {"a": "../a.safetensors"}}', "'../a.safetensors' is not in this directory"),
    ],
)
def test_an_index_that_is_none(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / INDEX).write_text(content)
    with pytest.raises(UserError, match=message):
        check_weights(tmp_path)


def test_weights_that_are_missing_are_not_drawn_at_random(model: Path) -> None:
    held = load_file(model / "model.safetensors")
    gone = sorted(name for name in held if "layers.1." in name and "language" in name)
    save_file({key: one for key, one in held.items() if key not in gone}, model / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=rf"weights are missing: model\.language.*layers\.1.* and {len(gone) - 3} more"):
        HuggingFaceVLM.load(model)


def test_a_weight_of_another_shape(model: Path) -> None:
    held = load_file(model / "model.safetensors")
    name = next(name for name in held if name.endswith("q_proj.weight"))
    held[name] = held[name][:, :-1].contiguous()
    save_file(held, model / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"model': cannot be loaded: .*mismatch"):
        HuggingFaceVLM.load(model)


def test_another_config_file_may_hold_a_list(model: Path) -> None:
    """Sentence encoders have such a data_config.json."""
    (model / "data_config.json").write_text("[{}]")
    folder.check_code(model, trust_remote_code=False)


@pytest.mark.parametrize("file", ["config.json", "processor_config.json", "tokenizer_config.json"])
def test_code_is_run_on_request_only(model: Path, tmp_path: Path, file: str) -> None:
    config: dict[str, Any] = json.loads((model / file).read_text())
    (model / file).write_text(json.dumps(config | {"auto_map": {"AutoAny": ["own.Any", None]}}))
    (model / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(
        UserError, match=rf"{file}: auto_map refers to own\.Any.*--trust-remote-code.*--revision COMMIT"
    ):
        HuggingFaceVLM.load(model)
    assert not (tmp_path / "ran").exists()


def test_code_that_is_trusted_is_run(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = json.loads((model / "config.json").read_text())
    config |= {"model_type": "own-kind", "auto_map": {"AutoConfig": "own.Config"}}
    (model / "config.json").write_text(json.dumps(config))
    (model / "own.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w').close()\nfrom transformers import LlavaConfig as Config\n"
    )
    modules = tmp_path / "modules"  # the library copies code there to run it
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(modules))
    monkeypatch.syspath_prepend(modules)
    # The library marks the class as one whose code is to be saved along, for as long as the process lives.
    monkeypatch.setattr("transformers.LlavaConfig._auto_class", None)
    HuggingFaceVLM.load(model, trust_remote_code=True)
    assert (tmp_path / "ran").exists()


def test_code_of_another_repository_is_never_run(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoConfig": "a/b--own.Config"}}))
    with pytest.raises(UserError, match=r"refers to a/b--own\.Config, code in another repository, which is never run"):
        HuggingFaceVLM.load(model, trust_remote_code=True)


@pytest.mark.parametrize("revision", [None, "main", "0123456", COMMIT.upper()])
def test_code_of_a_hub_id_needs_a_whole_commit(revision: str | None) -> None:
    with pytest.raises(UserError, match=r"needs a fixed commit, got .*; add --revision with the 40 hex digits"):
        HuggingFaceVLM.load("owner/name", revision=revision, trust_remote_code=True)


def test_a_revision_of_a_directory(model: Path) -> None:
    with pytest.raises(UserError, match=r"revision 'main': only hub ids have revisions, and '.*' is a directory"):
        HuggingFaceVLM.load(model, revision="main")


def test_a_hub_id_that_cannot_be_fetched() -> None:
    with pytest.raises(UserError, match="model 'owner/name': cannot be loaded: "):
        HuggingFaceVLM.load("owner/name")


def test_a_hub_id_is_checked_like_a_directory(tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, asked = Path(shutil.copytree(tiny.model, tmp_path / COMMIT)), []

    def fetch(repository: str, **options: Any) -> str:
        asked.append((repository, options))
        return str(snapshot)

    monkeypatch.setattr(folder, "snapshot_download", fetch)
    vlm = HuggingFaceVLM.load("owner/name", revision="main")
    assert (vlm.name, vlm.model.config._commit_hash) == ("name", COMMIT)
    assert local_folder("owner/name", COMMIT, trust_remote_code=True) == snapshot
    (_, plain), (_, trusted) = asked
    assert plain["revision"] == "main"
    assert "*.py" not in plain["allow_patterns"]
    assert "*.py" in trusted["allow_patterns"]
    assert not any(pattern.endswith(".bin") for pattern in trusted["allow_patterns"])
    (snapshot / "model.safetensors").unlink()
    (snapshot / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="model 'owner/name': is an adapter; download it"):
        HuggingFaceVLM.load("owner/name")


def test_a_text_decoder_in_place_of_a_vlm_is_named_with_the_command_that_makes_one(tmp_path):
    file, note = tmp_path / "lm.gguf", tmp_path / "notes.txt"
    file.write_bytes(b"GGUF")
    note.write_text("x")
    for source, why in (
        (file, "is a file; give the directory of a Hugging Face model; `unmirage graft "),
        ("none.gguf", "no such directory; `unmirage graft none.gguf --out DIR`"),
        ("smollm2-135m", "no such directory; `unmirage graft smollm2-135m --out DIR` makes one of this text decoder"),
        (note, "is a file; give the directory of a Hugging Face model"),
    ):
        with pytest.raises(UserError) as raised:
            local_folder(source, None, trust_remote_code=False)
        assert str(raised.value).startswith(f"model '{source}': {why}")
        assert ("graft" in str(raised.value)) is (source is not note)
