"""Decoders are loaded from directories and GGUF files; everything else is refused with one line."""

from __future__ import annotations

import importlib.util
import json

import pytest
import torch
from tests.models.graft.decoders import decoder, saved
from tests.models.tiny_families import QUERIES
from tests.tiny_gguf import write_tiny_gguf
from transformers import AutoModelForCausalLM, BertConfig, BertForMaskedLM, T5Config, T5ForConditionalGeneration

from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM
from unmirage.models.graft import Graft, GraftSettings, graft, load_decoder, source

needs_gguf = pytest.mark.skipif(importlib.util.find_spec("gguf") is None, reason="needs the package gguf")


def refused(lm, *, match, out, **options):
    with pytest.raises(UserError, match=match) as caught:
        graft(lm, out, **options)
    assert "\n" not in str(caught.value)
    assert not out.exists()
    assert [path.name for path in out.parent.iterdir() if path.name.startswith(".")] == []


def test_a_directory_is_grafted(tmp_path):
    folder = saved(tmp_path / "lm", "qwen2")
    made = graft(folder, tmp_path / "vlm", settings=GraftSettings(image_tokens=1, tower=32))
    assert (made.folder, made.lm, made.picture_accuracy) == (tmp_path / "vlm", "lm", None)
    vlm = HuggingFaceVLM.load(tmp_path / "vlm")
    assert made.parameters == sum(one.numel() for one in vlm.model.parameters())
    record = Graft.load(tmp_path / "vlm" / Graft.FILE)
    assert record.to_dict() == made.record.to_dict()
    assert record.architecture == "Qwen2ForCausalLM"
    assert set(record.files) == {
        path.name for path in folder.iterdir() if path.suffix in (".json", ".safetensors", ".jinja")
    }
    assert record.settings["tower"] == 32
    assert sum(record.parameters.values()) == made.parameters
    card = (tmp_path / "vlm" / "README.md").read_text()
    assert "pictures carry no information" in card
    assert str(tmp_path) not in card + json.dumps(record.to_dict())
    assert str(tmp_path) not in (tmp_path / "vlm" / "config.json").read_text()


def test_a_hub_id_is_recorded_with_its_commit(tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    folder = saved(tmp_path / "snapshots" / commit)
    asked = {}

    def snapshot(source, **options):
        asked.update(options, source=source)
        return str(folder)

    monkeypatch.setattr("unmirage.models.folder.snapshot_download", snapshot)
    made = graft("owner/chat", tmp_path / "vlm", revision=commit)
    assert (asked["source"], asked["revision"]) == ("owner/chat", commit)
    assert not any(pattern.endswith((".bin", ".py")) for pattern in asked["allow_patterns"])
    assert (made.lm, made.record.files["commit"]) == ("owner/chat", commit)


def test_precision_of_a_directory_is_kept(tmp_path):
    model, tokenizer = decoder()
    model.to(torch.bfloat16).save_pretrained(tmp_path / "lm")
    tokenizer.save_pretrained(tmp_path / "lm")
    loaded = load_decoder(tmp_path / "lm")
    assert loaded.model.dtype == torch.bfloat16


@needs_gguf
@pytest.mark.parametrize("tied", [True, False])
def test_a_gguf_file_is_grafted(tmp_path, tied, capfd):
    file = write_tiny_gguf(tmp_path / "tiny.gguf", tied=tied)
    graft(file, tmp_path / "vlm")
    assert capfd.readouterr() == ("", "")
    vlm = HuggingFaceVLM.load(tmp_path / "vlm")
    own = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="tiny.gguf", dtype=torch.float32).eval()
    ids = vlm.processor.tokenizer([" ".join(QUERIES)], return_tensors="pt").input_ids
    with torch.no_grad():
        wanted = own(input_ids=ids).logits
        assert torch.equal(vlm.model(input_ids=ids).logits[..., : wanted.shape[-1]], wanted)
    record = Graft.load(tmp_path / "vlm" / Graft.FILE)
    assert record.lm == "tiny.gguf"
    assert record.files == {"tiny.gguf": source.sha256_of(file)}


@needs_gguf
@pytest.mark.parametrize("architecture", ["bert", "clip", "t5encoder", "nonsense"])
def test_a_gguf_of_another_kind_is_refused(tmp_path, architecture):
    file = write_tiny_gguf(tmp_path / "a.gguf", architecture=architecture)
    message = "t5 is no text decoder" if architecture == "t5encoder" else f"architecture '{architecture}' is no text"
    refused(file, match=f"a.gguf'?: {message}", out=tmp_path / "vlm")


@needs_gguf
@pytest.mark.parametrize("share", [0.0005, 0.1, 0.5, 0.999])
def test_a_truncated_gguf_is_refused(tmp_path, share):
    file = write_tiny_gguf(tmp_path / "a.gguf")
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    refused(file, match="a.gguf: is corrupt or truncated", out=tmp_path / "vlm")


@needs_gguf
def test_a_gguf_without_chat_template_names_the_option(tmp_path):
    file = write_tiny_gguf(tmp_path / "a.gguf", template=None)
    refused(file, match="no chat template; add --chat-template FILE", out=tmp_path / "vlm")
    made = graft(file, tmp_path / "vlm", chat_template="chatml")
    assert made.record.chat_template == "chatml"


def test_a_file_that_is_no_gguf_is_refused(tmp_path):
    (tmp_path / "a.gguf").write_bytes(b"PK\x03\x04 and more")
    refused(tmp_path / "a.gguf", match="a.gguf: is no GGUF file; give a directory", out=tmp_path / "vlm")
    (tmp_path / "a.gguf").write_bytes(b"")
    refused(tmp_path / "a.gguf", match="a.gguf: is no GGUF file", out=tmp_path / "vlm")


def test_without_the_package_gguf_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr(source, "find_spec", lambda _: None)
    for lm in (tmp_path / "a.gguf", "smollm2-135m"):
        refused(lm, match=r"needs the package gguf; install it: pip install 'unmirage\[gguf\]'", out=tmp_path / "vlm")


def test_models_of_other_kinds_are_refused(tmp_path):
    _, tokenizer = decoder()
    small = {"vocab_size": 500, "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    BertForMaskedLM(BertConfig(**small, intermediate_size=16)).save_pretrained(tmp_path / "bert")
    T5ForConditionalGeneration(
        T5Config(vocab_size=500, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    ).save_pretrained(tmp_path / "t5")
    for name in ("bert", "t5"):
        tokenizer.save_pretrained(tmp_path / name)
        refused(tmp_path / name, match=f"{name}': .*no text decoder", out=tmp_path / "vlm")


def test_a_vlm_is_refused(tmp_path):
    graft(saved(tmp_path / "lm"), tmp_path / "first")
    refused(tmp_path / "first", match=r"is a multimodal model \(llava\) already", out=tmp_path / "vlm")


def test_bad_directories_are_refused(tmp_path):
    folder = saved(tmp_path / "lm")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModelForCausalLM": "own.Model"}}))
    refused(folder, match="code that comes with the model and is not run", out=tmp_path / "vlm")
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    refused(folder, match="weights are missing: model.layers.2", out=tmp_path / "vlm")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refused(folder, match="a pickle, which is never loaded", out=tmp_path / "vlm")
    (folder / "config.json").unlink()
    (folder / "a.gguf").write_bytes(b"GGUF")
    refused(folder, match=r"has no config.json, but GGUF files; give one of them, such as .*a.gguf", out=tmp_path / "v")


def test_names_and_options_are_checked(tmp_path):
    refused("smollm2", match="unknown decoder 'smollm2'.*Did you mean 'smollm2-135m'", out=tmp_path / "vlm")
    refused("SmolLM2-135M", match="unknown decoder", out=tmp_path / "vlm")
    refused("smol.gguf", match=r"^smol\.gguf: no such file$", out=tmp_path / "vlm")
    refused("smollm2-135m", match="only hub ids have revisions", out=tmp_path / "vlm", revision="main")
    refused(saved(tmp_path / "lm"), match="--wheel: used only with a name", out=tmp_path / "v", wheel=tmp_path)
    (tmp_path / "vlm").mkdir()
    with pytest.raises(UserError, match="vlm: exists; name a new directory"):
        graft(tmp_path / "lm", tmp_path / "vlm")
