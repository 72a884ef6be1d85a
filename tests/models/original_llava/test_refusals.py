"""What cannot be converted is refused in one line that names the file and the field; nothing is left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.original_llava.checkpoint import WORDS, Original

from unmirage.errors import UserError
from unmirage.models.original_llava import convert, tokens


def refusal(original: Original, **options: Any) -> str:
    out = original.root / "out"
    with pytest.raises(UserError) as error:
        convert(str(original.folder), out, **{"vision_tower": str(original.tower), **options})
    assert {path.name for path in original.root.iterdir()} == {"llava-v1.5-tiny", "clip"}
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"mm_projector_type": "mlp3x_gelu"}, "mm_projector_type is 'mlp3x_gelu'; valid: mlp2x_gelu, linear"),
        ({"image_aspect_ratio": "anyres"}, "image_aspect_ratio is 'anyres'; valid: pad, square; LLaVA-1.6"),
        ({"mm_vision_select_feature": "cls"}, "mm_vision_select_feature is 'cls'; valid: patch, cls_patch"),
        ({"mm_vision_select_layer": "last"}, "mm_vision_select_layer is 'last'; valid: an integer"),
        ({"model_type": "llava_mpt"}, "model_type is 'llava_mpt'; valid: llava, llava_llama"),
        ({"architectures": ["LlavaMistralForCausalLM"]}, "architectures is ['LlavaMistralForCausalLM']"),
        ({"architectures": ["LlavaForConditionalGeneration"]}, "already in the Hugging Face layout"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"mm_use_im_start_end": True}, "mm_use_im_start_end is true"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings is true"),
        ({"hidden_size": "48"}, "hidden_size"),
        ({"hidden_size": 47}, "hidden size (47)"),
        ({"vocab_size": WORDS + 1}, f"[{WORDS}, 48]; config.json requires [{WORDS + 1}, 48]"),
        ({"vocab_size": WORDS - 1}, f"beyond the {WORDS - 1} rows"),
        ({"num_hidden_layers": 2}, "layers.2"),
        ({"num_hidden_layers": 4}, "language_model.model.layers.3"),
    ],
)
def test_a_config_that_we_cannot_follow(original: Original, config: dict[str, Any], said: str) -> None:
    original.configure(**config)
    assert said in refusal(original)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"model__norm__weight": None}, "language_model.model.norm.weight is missing"),
        ({"model__mm_projector__2__bias": None}, "multi_modal_projector.linear_2.bias is missing"),
        ({"lm_head__weight": None}, "language_model.lm_head.weight is missing"),
        ({"model__norm__weight": torch.ones(47)}, "has shape [47]; config.json requires [48]"),
        ({"model__mm_projector__4__weight": torch.ones(2)}, "model.mm_projector.4.weight is not a tensor of LLaVA-1.5"),
        ({"model__layers__0__lora__weight": torch.ones(2)}, "layers.0.lora.weight is not part of the model"),
        ({"model__norm__weight": torch.ones(48, dtype=torch.int64)}, "use floating-point weights"),
        ({"model__norm__weight": torch.ones(48, dtype=torch.int8)}, "has dtype I8"),
    ],
)
def test_tensors_that_do_not_fit(original: Original, tensors: dict[str, Any], said: str) -> None:
    original.change(**tensors)
    assert said in refusal(original)


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-10])


FILES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no config": (lambda folder: (folder / "config.json").unlink(), "config.json: no such file"),
    "config is no JSON": (lambda folder: (folder / "config.json").write_text("{"), "config.json: invalid JSON"),
    "config is a list": (lambda folder: (folder / "config.json").write_text("[]"), "config.json: not a JSON object"),
    "truncated": (lambda folder: _truncate(folder / "model.safetensors"), "is corrupt or truncated"),
    "garbage": (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99), "is corrupt or truncated"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "no weights; valid: model.safetensors"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer is missing; add tokenizer.json"),
    "broken tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("{}"), "tokenizer cannot be read"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_not_there_or_broken(original: Original, name: str) -> None:
    spoil, said = FILES[name]
    spoil(original.folder)
    assert said in refusal(original)


def test_shards_that_are_missing_double_or_elsewhere(original: Original) -> None:
    first, second = original.shard()
    held = second.read_bytes()
    second.unlink()
    assert f"lists {second.name}, which is missing" in refusal(original)
    second.write_bytes(first.read_bytes())
    assert "keep one of them" in refusal(original)
    second.write_bytes(held)
    index = original.folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"lm_head.weight": "../model.safetensors"}}))
    assert "use file names in the same folder" in refusal(original)
    index.write_text(json.dumps({"weight_map": {}}))
    assert "weight_map is missing" in refusal(original)


class _Evil:
    def __reduce__(self) -> Any:
        return print, ("this must never run",)


def test_pickles_are_refused_unasked_and_never_run(original: Original, capsys: pytest.CaptureFixture[str]) -> None:
    original.shard(".bin", "pytorch_model")
    assert "is a pickle, which is not read by default; use safetensors, or --from-pickle" in refusal(original)
    index = original.folder / "pytorch_model.bin.index.json"
    for shard in original.folder.glob("pytorch_model-*.bin"):
        shard.rename(shard.with_suffix(".gone"))
    assert f"{index}: is a pickle" in refusal(original)  # as a repository on the hub is without the flag
    for shard in original.folder.glob("*.gone"):
        shard.rename(shard.with_suffix(".bin"))
    for shard in original.folder.glob("pytorch_model-*.bin"):
        torch.save({"lm_head.weight": _Evil()}, shard)
    assert "not a pickle of tensors only" in refusal(original, from_pickle=True)
    for shard in original.folder.glob("pytorch_model-*.bin"):
        torch.save({"lm_head.weight": 1}, shard)
    assert "does not map names to tensors" in refusal(original, from_pickle=True)
    for shard in original.folder.glob("pytorch_model-*.bin"):
        shard.write_bytes(b"garbage")
    assert "not a pickle of tensors only" in refusal(original, from_pickle=True)
    assert capsys.readouterr().out == ""


def test_a_tower_that_is_missing_or_another(original: Original) -> None:
    assert "--vision-tower FOLDER with a copy of 'openai/clip-vit-large-patch14-336'" in refusal(
        original, vision_tower=None
    )
    (original.tower / "config.json").write_text(json.dumps({"model_type": "siglip"}))
    assert "model_type is 'siglip'; valid: clip, clip_vision_model" in refusal(original)
    (original.tower / "config.json").write_text(json.dumps({"model_type": "clip"}))
    assert "vision_config is missing" in refusal(original)
    (original.tower / "config.json").write_text(json.dumps({"model_type": "clip_vision_model", "hidden_size": "x"}))
    assert "hidden_size" in refusal(original)


def test_a_tower_inside_that_is_not_known_by_name(original: Original) -> None:
    original.write(tower=True, mm_vision_tower="someone/clip")
    assert "unknown vision tower 'someone/clip'; add --vision-tower FOLDER" in refusal(original, vision_tower=None)
    original.configure()
    assert "config.json requires" in refusal(original, vision_tower=None)  # tiny, and so not the one it names


def test_sources_that_are_no_folder(original: Original) -> None:
    for source in ("nowhere", "./nowhere/at-all", str(original.folder / "config.json")):
        with pytest.raises(UserError, match="no such folder, nor a hub model of that name"):
            convert(source, original.root / "out")
    with pytest.raises(UserError, match="SOURCE 'nobody/nothing': cannot be loaded: "):
        convert("nobody/nothing", original.root / "out")
    assert "--base only with a LoRA adapter" in refusal(original, base=str(original.folder))


def test_what_exists_is_not_written_over(original: Original) -> None:
    with pytest.raises(UserError, match="already exists; give the name of a new directory"):
        convert(str(original.folder), original.tower)


def test_a_sentencepiece_model_names_its_remedy(original: Original, monkeypatch: pytest.MonkeyPatch) -> None:
    (original.folder / "tokenizer.json").unlink()
    (original.folder / "tokenizer.model").write_bytes(b"")
    monkeypatch.setattr(tokens, "_is_installed", lambda module: False)
    assert "reading it requires sentencepiece; run pip install sentencepiece protobuf" in refusal(original)
