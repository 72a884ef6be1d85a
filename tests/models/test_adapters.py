"""Adapters on disk: peft reads what we write, we read what peft writes, and nothing is ever merged in part."""

from __future__ import annotations

import copy
import json
import logging
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from peft import inject_adapter_in_model
from safetensors.torch import load_file, save_file

from unmirage.align import AlignConfig, AlignData, AlignResult, align
from unmirage.align.config import LoraSettings
from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM
from unmirage.models.adapter_names import renamed
from unmirage.models.adapters import merge_adapter, merge_into
from unmirage.models.bases import base_of
from unmirage.models.original_llava.adapter import merge_adapter as merge_stored
from unmirage.models.original_llava.stored import Stored
from unmirage.run.model import save_model

# peft asks for a property by the name that it had in older versions of transformers.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
CONFIG, WEIGHTS, RECORD = "adapter_config.json", "adapter_model.safetensors", "unmirage_adapter.json"
Q_PROJ = "base_model.model.model.language_model.layers.0.self_attn.q_proj"


@pytest.fixture(scope="module")
def trained(tiny) -> tuple[HuggingFaceVLM, AlignResult]:
    """Return a model that was trained with an adapter, and the adapter."""
    vlm = tiny.load()
    data = AlignData(retain=tiny.samples("general")[:4], images=tiny.images)
    lora = LoraSettings(rank=2, alpha=4)
    result = align(vlm, data, AlignConfig(learning_rate=1e-2, warmup=0.0, batch_size=4, steps=3, lora=lora))
    return vlm, result


@pytest.fixture
def adapter(tiny, trained, tmp_path: Path) -> Path:
    """Return a directory of the adapter alone."""
    vlm, result = trained
    save_model(tmp_path / "lora", vlm, {}, {}, adapter=result.adapter, adapter_only=True, base=str(tiny.model))
    return tmp_path / "lora"


def weights(vlm: HuggingFaceVLM) -> dict[str, torch.Tensor]:
    return dict(vlm.model.state_dict())


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert [name for name, tensor in one.items() if not torch.equal(tensor, other[name])] == []


def change(folder: Path, **fields: Any) -> None:
    held = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(held | fields))


def test_the_adapter_alone_loads_as_the_model_that_was_trained(tiny, trained, adapter: Path) -> None:
    again = HuggingFaceVLM.load(adapter)
    assert again.name == "lora"
    assert_equal(weights(again), weights(trained[0]))
    changed = {name for name, tensor in weights(tiny.load()).items() if not torch.equal(tensor, weights(again)[name])}
    assert Q_PROJ.removeprefix("base_model.model.") + ".weight" in changed
    assert not any(parameter.requires_grad for parameter in again.model.parameters())
    assert not again.model.training


def test_its_directory_is_one_of_pefts(tiny, adapter: Path) -> None:
    held = json.loads((adapter / CONFIG).read_text())
    named = Path(held["base_model_name_or_path"])
    assert not named.is_absolute()
    assert (adapter / named).resolve() == tiny.model.resolve()
    assert held["peft_type"] == "LORA"
    assert (adapter / "processor_config.json").is_file()
    assert not (adapter / "config.json").exists()
    assert not (adapter / "model.safetensors").exists()


def test_beside_the_merged_model_lies_the_adapter_that_peft_loads(tiny, trained, tmp_path: Path) -> None:
    vlm, result = trained
    out = tmp_path / "out"
    save_model(out, vlm, {}, {}, adapter=result.adapter, base=str(tiny.model), card="# out\n")
    assert (out / "README.md").read_text() == "# out\n"
    assert sorted(path.name for path in (out / "adapter").iterdir()) == [CONFIG, WEIGHTS, RECORD]
    merged = HuggingFaceVLM.load(out)
    assert_equal(weights(merged), weights(vlm))
    adapted = peft.PeftModel.from_pretrained(tiny.load().model, out / "adapter").eval()
    ids = torch.arange(5, 15)[None]
    with torch.no_grad():
        found, wanted, base = (model(input_ids=ids).logits for model in (adapted, merged.model, tiny.load().model))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)
    assert (found - base).abs().max() > 0.01


def test_an_adapter_on_an_adapter(tiny, trained, adapter: Path, tmp_path: Path) -> None:
    """Unlearning on top of an SFT adapter: both are merged, the first one first."""
    vlm = HuggingFaceVLM.load(adapter)
    data = AlignData(retain=tiny.samples("general")[4:8], images=tiny.images)
    config = AlignConfig(learning_rate=1e-2, warmup=0.0, batch_size=4, steps=1, lora=LoraSettings(rank=1, alpha=1))
    result = align(vlm, data, config)
    save_model(tmp_path / "second", vlm, {}, {}, adapter=result.adapter, adapter_only=True, base=str(adapter))
    assert_equal(weights(HuggingFaceVLM.load(tmp_path / "second")), weights(vlm))
    change(adapter, base_model_name_or_path=str(tmp_path / "second"))
    with pytest.raises(UserError, match="is its own base, through 1 other adapters"):
        HuggingFaceVLM.load(adapter)


def test_an_adapter_of_pefts_own_making(tiny, tmp_path: Path) -> None:
    """Other ranks for some modules, another scale, a projector's layer trained in full, and names by their ends."""
    model = tiny.load().model
    config = peft.LoraConfig(
        r=2, lora_alpha=3, use_rslora=True, target_modules=["q_proj", "v_proj"], rank_pattern={"v_proj": 1},
        modules_to_save=["linear_2"],
    )  # fmt: skip
    adapted = peft.get_peft_model(model, config)
    torch.manual_seed(0)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name or "modules_to_save" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    adapted.save_pretrained(tmp_path / "theirs")
    change(tmp_path / "theirs", base_model_name_or_path=str(tiny.model))
    ids = torch.arange(5, 15)[None]
    with torch.no_grad():
        found = HuggingFaceVLM.load(tmp_path / "theirs").model(input_ids=ids).logits
        torch.testing.assert_close(found, adapted.eval()(input_ids=ids).logits, rtol=0, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_adapter_gives_the_same_weights_after_training_from_disk_and_converted(
    tiny, trained, adapter: Path, dtype: torch.dtype
) -> None:
    """All three round W + s B A once, in float32."""
    base = tiny.load().model.to(dtype)
    named = {name: tensor.clone() for name, tensor in base.state_dict().items() if name != "lm_head.weight"}
    stored = {name: Stored(tuple(one.shape), dtype, name, partial(torch.clone, one)) for name, one in named.items()}
    converted = {name: one.read() for name, one in merge_stored(stored, adapter, from_pickle=False).items()}
    from_disk = merge_into(copy.deepcopy(base), adapter).state_dict()
    inject_adapter_in_model(trained[1].adapter[0], base)
    for name, tensor in load_file(adapter / WEIGHTS).items():
        parameter = base.get_parameter(name.removeprefix("base_model.model.").replace(".weight", ".default.weight"))
        parameter.data = tensor
    merge_adapter(base)
    assert_equal({name: from_disk[name] for name in named}, converted)
    assert_equal({name: base.state_dict()[name] for name in named}, converted)
    assert any(not torch.equal(converted[name], tensor) for name, tensor in named.items())


def test_what_is_loaded_from_an_adapter_is_saved_whole(adapter: Path, tmp_path: Path) -> None:
    vlm = HuggingFaceVLM.load(adapter)
    (tmp_path / "whole").mkdir()
    vlm.save(tmp_path / "whole")
    assert not (tmp_path / "whole" / CONFIG).exists()
    assert_equal(weights(HuggingFaceVLM.load(tmp_path / "whole")), weights(vlm))


def test_a_relative_base_is_sought_from_the_adapter_and_then_from_here(
    tiny, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny.model.parent)
    change(adapter, base_model_name_or_path=f"./{tiny.model.name}")
    assert Path(base_of(adapter)).resolve() == tiny.model.resolve()
    change(adapter, base_model_name_or_path="../base")
    shutil.copytree(tiny.model, adapter.parent / "base")
    assert Path(base_of(adapter)).resolve() == (adapter.parent / "base").resolve()
    change(adapter, base_model_name_or_path="owner/name")
    assert base_of(adapter) == "owner/name"


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (None, "base_model_name_or_path is missing"),
        ("", "base_model_name_or_path is missing"),
        ("./gone", r"'\./gone' is neither a hub id nor a directory, relative to .*lora or to the working"),
        (".", "is the adapter itself"),
    ],
)
def test_a_base_that_is_not_there(adapter: Path, base: str | None, message: str) -> None:
    change(adapter, base_model_name_or_path=base)
    (adapter / RECORD).unlink()
    with pytest.raises(UserError, match=message):
        HuggingFaceVLM.load(adapter)


def _without(held: dict[str, torch.Tensor]) -> None:
    del held[f"{Q_PROJ}.lora_B.weight"]


def _with_more(held: dict[str, torch.Tensor]) -> None:
    held["base_model.model.model.language_model.layers.99.mlp.down_proj.lora_A.weight"] = torch.ones(2, 3)


def _misshapen(held: dict[str, torch.Tensor]) -> None:
    held[f"{Q_PROJ}.lora_A.weight"] = held[f"{Q_PROJ}.lora_A.weight"][:, :-1].contiguous()


def _not_a_number(held: dict[str, torch.Tensor]) -> None:
    held[f"{Q_PROJ}.lora_A.weight"][0, 0] = float("nan")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_without, rf"tensors are missing: {Q_PROJ}\.lora_B\.weight; adapter_config"),
        (_with_more, r"the base has no layers for base_model.*layers\.99.*lora_A\.weight"),
        (_misshapen, rf"{Q_PROJ}\.lora_A\.weight has shape \[2, \d+\]; valid for this base and r: \[2, \d+\]"),
        (_not_a_number, rf"{Q_PROJ}\.lora_A\.weight has NaN or Inf values"),
    ],
)
def test_an_adapter_is_merged_whole_or_not_at_all(adapter: Path, damage: Any, message: str) -> None:
    held = load_file(adapter / WEIGHTS)
    damage(held)
    save_file(held, adapter / WEIGHTS)
    with pytest.raises(UserError, match=message):
        HuggingFaceVLM.load(adapter)


def _as_before(name: str) -> str:
    """Return a name as transformers before 4.52 wrote it."""
    name = name.replace("base_model.model.model.language_model.", "base_model.model.language_model.model.")
    return name.replace("base_model.model.model.", "base_model.model.")


def test_names_of_older_versions_of_transformers(adapter: Path, trained: Any, caplog: pytest.LogCaptureFixture) -> None:
    held = load_file(adapter / WEIGHTS)
    older = {_as_before(name): tensor for name, tensor in held.items()}
    assert older.keys().isdisjoint(held)
    assert any(name.startswith("base_model.model.multi_modal_projector.") for name in older)
    save_file(older, adapter / WEIGHTS)
    with caplog.at_level(logging.INFO):
        assert_equal(weights(HuggingFaceVLM.load(adapter)), weights(trained[0]))
    assert f"renamed {len(held)} tensors" in caplog.text
    older.popitem()
    save_file(older, adapter / WEIGHTS)
    with pytest.raises(UserError, match="tensors are missing"):
        HuggingFaceVLM.load(adapter)


def test_names_of_qwen2_vl_before_the_inner_module(tmp_path: Path) -> None:
    names = ("model.language_model.layers.0.q_proj", "model.visual.blocks.0.qkv")
    expected = [f"base_model.model.{name}.lora_A.weight" for name in names]
    older = ("model.layers.0.q_proj", "visual.blocks.0.qkv")
    tensors = {f"base_model.model.{name}.lora_A.weight": torch.full((1,), n) for n, name in enumerate(older)}
    assert renamed(tmp_path, tensors, expected) == dict(zip(expected, tensors.values(), strict=True))


def test_an_adapter_that_is_cut_off(adapter: Path) -> None:
    (adapter / WEIGHTS).write_bytes((adapter / WEIGHTS).read_bytes()[:-8])
    with pytest.raises(UserError, match=r"adapter_model\.safetensors: file is corrupt or truncated"):
        HuggingFaceVLM.load(adapter)


def test_an_adapter_in_a_pickle_is_refused(adapter: Path) -> None:
    (adapter / WEIGHTS).unlink()
    with pytest.raises(UserError, match=r"lora': adapter_model\.safetensors is missing"):
        HuggingFaceVLM.load(adapter)
    (adapter / "adapter_model.bin").write_bytes(b"cos\nsystem\n")
    with pytest.raises(UserError, match=r"only adapter_model\.bin, a pickle, which is never loaded.*PeftModel"):
        HuggingFaceVLM.load(adapter)


def test_what_llavas_code_trains_beside_an_adapter_is_not_left_out(adapter: Path) -> None:
    (adapter / "non_lora_trainables.bin").write_bytes(b"")
    with pytest.raises(UserError, match="LLaVA's own code trained these weights besides the adapter; run `unmirage"):
        HuggingFaceVLM.load(adapter)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"peft_type": "IA3"}, "peft_type is 'IA3'; valid: LORA"),
        ({"use_dora": True}, r"tensors are missing: .*lora_magnitude_vector"),
        ({"bias": "all"}, "bias is 'all', which cannot be merged"),
        ({"use_something_new": True}, "use_something_new is True, which cannot be merged"),
        ({"megatron_config": {"x": 1}}, "megatron_config is"),
        (
            {"init_lora_weights": "pissa_niter_4"},
            "init_lora_weights is 'pissa_niter_4', which also changes the base's weights",
        ),
        ({"r": 0}, "cannot be read|does not fit the base"),
        ({"modules_to_save": ["lm_head"]}, "trains one of two layers that share a weight in the base"),
        ({"target_modules": ["nothing"]}, "does not fit the base: Target modules"),
    ],
)
def test_what_is_no_plain_lora(adapter: Path, fields: dict[str, Any], message: str) -> None:
    change(adapter, **fields)
    with pytest.raises(UserError, match=message):
        HuggingFaceVLM.load(adapter)


def test_a_model_and_an_adapter_in_one_directory(tiny, adapter: Path) -> None:
    """The library would load the base that the adapter names, whatever lies there."""
    shutil.copytree(tiny.model, adapter, dirs_exist_ok=True)
    with pytest.raises(UserError, match="holds a model and an adapter"):
        HuggingFaceVLM.load(adapter)


def test_without_an_adapter_there_is_none_to_save_alone(trained, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no adapter was trained, so none can be saved alone"):
        save_model(tmp_path / "out", trained[0], {}, {}, adapter_only=True)
    assert not (tmp_path / "out").exists()
