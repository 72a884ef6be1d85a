"""From trained weights to the model that is kept: negated, merged, unfrozen parts frozen, types restored."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from tests.align.runs import ADAPTERS, LORA, data_for, loaded, method_config, run, weights_of
from torch import nn

from unmirage.align import AlignConfig, align
from unmirage.align.finish import adapter_tensors
from unmirage.align.lora import adapter_off, add_adapter, scale_adapter
from unmirage.models.adapters import adapter_layers, merge_adapter

SETTINGS = {"learning_rate": 1e-3, "batch_size": 2, "steps": 3}
ROWS = 4


def _moved(weights: dict, start: dict) -> dict:
    return {name: weights[name] - one for name, one in start.items() if not torch.equal(weights[name], one)}


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_task_vector_is_what_training_did_the_other_way(tiny, tmp_path: Path, adapter: str, scale: float) -> None:
    """theta = theta_0 - scale (theta_trained - theta_0), where the trained weights are those of the checkpoint."""
    start = weights_of(loaded(tiny).model)
    config = AlignConfig(method=method_config("task-vector", scale=scale), lora=ADAPTERS[adapter], **SETTINGS)
    ran = run(tiny, config, tmp_path, ROWS)
    held = load_file(tmp_path / "checkpoints" / "step-3" / "model.safetensors")
    learnt = {name.removeprefix("model."): tensor for name, tensor in held.items()}
    if adapter == "lora":
        products = {
            name.replace(".lora_A.default", ""): LORA.alpha / LORA.rank * (learnt[name.replace("lora_A", "lora_B")] @ a)
            for name, a in learnt.items()
            if "lora_A" in name
        }
        assert products
        expected = {name: start[name] - scale * product for name, product in products.items()}
    else:
        expected = {name: start[name] - scale * (tensor - start[name]) for name, tensor in learnt.items()}
    changed = _moved(ran.weights, start)
    # What the output layer shares with the embedding moves with it, and has no name of its own among the trained.
    assert changed.keys() - {"lm_head.weight"} <= expected.keys()
    assert len(changed) > 20
    for name, tensor in expected.items():
        torch.testing.assert_close(ran.weights[name], tensor, rtol=1e-5, atol=1e-7)


def test_a_task_vector_of_full_training_is_exact(tiny) -> None:
    """At scale 1 it is the mirror of training; twice the scale goes twice as far, from the same start."""
    start = weights_of(loaded(tiny).model)
    once, twice = (
        _moved(
            run(tiny, AlignConfig(method=method_config("task-vector", scale=s), **SETTINGS), rows=ROWS).weights, start
        )
        for s in (1.0, 2.0)
    )
    assert once.keys() == twice.keys()
    assert len(once) > 20
    for name, step in once.items():
        torch.testing.assert_close(twice[name], 2 * step, rtol=1e-4, atol=5e-7)


def test_negation_makes_the_harmful_answers_less_likely(tiny) -> None:
    config = AlignConfig(method=method_config("task-vector"), learning_rate=1e-3, batch_size=4, steps=8)
    vlm = loaded(tiny)
    before = run(tiny, config.model_copy(update={"steps": 1}), rows=ROWS).parts[0]["forget"]
    data = data_for(tiny, config.method, ROWS)
    align(vlm, data, config)
    after = align(vlm, data, config.model_copy(update={"steps": 1})).parts[0]["forget"]
    assert after > before + 0.5


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_model_is_plain_and_at_rest_afterwards(tiny, adapter: str) -> None:
    vlm = loaded(tiny)
    names = list(weights_of(vlm.model))
    config = AlignConfig(lora=ADAPTERS[adapter], checkpointing=1.0, **SETTINGS)
    align(vlm, data_for(tiny, config.method, ROWS), config)
    assert list(weights_of(vlm.model)) == names
    assert adapter_layers(vlm.model) == {}
    assert not any(parameter.requires_grad for parameter in vlm.model.parameters())
    assert not any(module.training for module in vlm.model.modules())
    assert not any(getattr(module, "gradient_checkpointing", False) for module in vlm.model.modules())


@pytest.mark.parametrize(
    ("held", "wish", "expected"),
    [
        (torch.bfloat16, "auto", torch.bfloat16),
        (torch.float32, "auto", torch.float32),
        (torch.bfloat16, "float32", torch.float32),
        (torch.float32, "bfloat16", torch.bfloat16),
    ],
)
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_types_are_those_of_the_base_or_those_asked_for(tiny, adapter: str, held, wish: str, expected) -> None:
    vlm = loaded(tiny)
    vlm.model.to(held)
    config = AlignConfig(lora=ADAPTERS[adapter], save_dtype=wish, precision="bfloat16", **SETTINGS | {"steps": 1})
    align(vlm, data_for(tiny, config.method, 2), config)
    assert {parameter.dtype for parameter in vlm.model.parameters()} == {expected}


def test_weights_train_in_float32_however_the_base_is_held(tiny) -> None:
    """At 1e-5 a step no weight of length 0.06 in bfloat16 would move at all; in float32 all do."""
    vlm = loaded(tiny)
    vlm.model.to(torch.bfloat16)
    start = weights_of(vlm.model)
    config = AlignConfig(learning_rate=1e-5, batch_size=2, steps=3, warmup=0, save_dtype="float32", precision="float32")
    align(vlm, data_for(tiny, config.method, ROWS), config)
    name = "model.language_model.layers.0.mlp.up_proj.weight"
    moved = (weights_of(vlm.model)[name] - start[name].float()).abs()
    assert 1e-6 < moved.max() < 1e-4
    assert (moved > 0).float().mean() > 0.9


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # asked for by peft
def test_the_adapter_is_given_back_as_peft_names_it(tiny, tmp_path: Path) -> None:
    """It is loaded by peft onto the base, and that is the model that was merged."""
    from peft import PeftModel

    config = AlignConfig(method=method_config("npo"), lora=LORA, **SETTINGS | {"learning_rate": 1e-2})
    vlm = loaded(tiny)
    result = align(vlm, data_for(tiny, config.method, ROWS), config)
    assert result.adapter is not None
    settings, tensors = result.adapter
    assert isinstance(settings, LoraConfig)
    settings.save_pretrained(tmp_path)
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    base = loaded(tiny)
    start = weights_of(base.model)
    again = PeftModel.from_pretrained(base.model, tmp_path).merge_and_unload()
    merged = weights_of(vlm.model)
    assert len(_moved(merged, start)) > 20
    for name, tensor in weights_of(again).items():
        torch.testing.assert_close(tensor, merged[name], rtol=1e-6, atol=1e-7)


def test_an_adapter_starts_as_nothing_and_is_switched_off_and_merged() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3))
    x = torch.randn(2, 4)
    before = model(x)
    add_adapter(model, LORA, ["0", "1"])
    assert torch.equal(model(x), before)
    assert [name for name, one in model.named_parameters() if one.requires_grad] == [
        f"{at}.lora_{side}.default.weight" for at in (0, 1) for side in "AB"
    ]
    with torch.no_grad():
        for layer in adapter_layers(model).values():
            layer.lora_B["default"].weight.normal_()
    changed = model(x)
    with adapter_off(model):
        assert torch.equal(model(x), before)
    assert torch.equal(model(x), changed)
    assert sum(one.requires_grad for one in model.parameters()) == 4
    assert {name.rsplit(".", 3)[-2] for name in adapter_tensors(model)} == {"lora_A", "lora_B"}
    merge_adapter(model)
    assert [type(one) for one in model] == [nn.Linear, nn.Linear]
    torch.testing.assert_close(model(x), changed)


def test_switching_an_adapter_off_survives_an_error() -> None:
    model = nn.Sequential(nn.Linear(4, 4))
    add_adapter(model, LORA, ["0"])
    with torch.no_grad():
        adapter_layers(model)["0"].lora_B["default"].weight.normal_()
    x = torch.randn(2, 4)
    changed = model(x)
    with pytest.raises(RuntimeError, match="memory"), adapter_off(model):
        raise RuntimeError("memory")
    assert torch.equal(model(x), changed)


@pytest.mark.parametrize("factor", [-1.0, 0.0, 2.5])
def test_scaling_an_adapter_scales_its_change(factor: float) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4, bias=False))
    x = torch.randn(3, 4)
    before = model(x)
    add_adapter(model, LORA, ["0"])
    with torch.no_grad():
        adapter_layers(model)["0"].lora_B["default"].weight.normal_()
    change = model(x) - before
    scale_adapter(model, factor)
    torch.testing.assert_close(model(x) - before, factor * change)
