"""Parts with modes: exactly these are trained, and saved, reloaded, merged and resumed they are the same model."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file
from tests.align.runs import OFF, assert_same, data_for, loaded, method_config, run, weights_of
from torch import nn

from unmirage.align import AlignConfig, AlignResult, align
from unmirage.align.lora import choose_trainable
from unmirage.align.parts import modes, told
from unmirage.align.trainer import split_groups
from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM
from unmirage.models.families import part_of
from unmirage.run.model import TRAINED_BESIDE, save_model

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
FAST: dict[str, Any] = {"learning_rate": 1e-2, "batch_size": 2, "steps": 3, "warmup": 0.0}
LLAVA = {"language": "lora", "projector": "full", "vision": "frozen"}
ROWS = 6


def config_of(trainable: Any = None, **settings: Any) -> AlignConfig:
    own = {"trainable": trainable or LLAVA, "lora": 2, "method": method_config("npo")}
    return AlignConfig(**{**own, **FAST, **settings})


def hashes(model: nn.Module) -> dict[str, str]:
    return {
        name: hashlib.sha256(one.detach().contiguous().numpy().tobytes()).hexdigest()
        for name, one in model.named_parameters()
    }


def trained(tiny, config: AlignConfig) -> tuple[HuggingFaceVLM, AlignResult]:
    vlm = loaded(tiny)
    return vlm, align(vlm, data_for(tiny, config.method, ROWS), config)


def saved_alone(tiny, folder: Path, vlm: HuggingFaceVLM, result: AlignResult) -> Path:
    save_model(folder, vlm, {}, {}, adapter=result.adapter, adapter_only=True, base=str(tiny.model))
    return folder


def assert_reloads(folder: Path, vlm: HuggingFaceVLM) -> None:
    again, wanted = weights_of(HuggingFaceVLM.load(folder).model), weights_of(vlm.model)
    assert [name for name, one in wanted.items() if not torch.equal(one, again[name])] == []


@pytest.fixture(scope="module")
def llava(tiny) -> tuple[HuggingFaceVLM, AlignResult]:
    """Return a model trained as LLaVA's own recipe trains: adapters in the decoder, and the whole projector."""
    return trained(tiny, config_of(lora={"rank": 4, "alpha": 8, "ranks": {"language": 2}}))


def test_what_changes_is_what_was_to_be_trained(tiny, llava) -> None:
    before, after = hashes(tiny.load().model), hashes(llava[0].model)
    changed = {name for name, digest in after.items() if digest != before[name]}
    model = llava[0].model
    matrices = {f"{name}.weight" for name, one in model.named_modules() if isinstance(one, nn.Linear)}
    wanted = {name for name in before if part_of(model, name) == "projector"}
    wanted |= {name for name in matrices - {"lm_head.weight"} if part_of(model, name) == "language"}
    assert len(wanted) > 30
    assert changed == wanted


def test_saved_alone_it_is_reloaded_here_and_by_peft(tiny, llava, tmp_path: Path) -> None:
    folder = saved_alone(tiny, tmp_path / "lora", *llava)
    assert_reloads(folder, llava[0])
    held = json.loads((folder / "adapter_config.json").read_text())
    assert held["modules_to_save"] == ["model.multi_modal_projector"]
    assert (held["r"], set(held["rank_pattern"].values()), set(held["alpha_pattern"].values())) == (4, {2}, {4.0})
    assert not (folder / TRAINED_BESIDE).exists()
    theirs = peft.PeftModel.from_pretrained(tiny.load().model, folder).eval()
    picture = torch.randn(1, 3, *[llava[0].model.config.vision_config.image_size] * 2)
    shown = torch.full((1, _tiles(llava[0])), llava[0].model.config.image_token_id)
    ids = torch.cat([shown, torch.arange(5, 15)[None]], 1)
    with torch.no_grad():
        found, wanted = (one(input_ids=ids, pixel_values=picture).logits for one in (theirs, llava[0].model))
    torch.testing.assert_close(found, wanted, rtol=0, atol=2e-4)


def _tiles(vlm: HuggingFaceVLM) -> int:
    vision = vlm.model.config.vision_config
    return (vision.image_size // vision.patch_size) ** 2


def test_merged_it_is_saved_and_reloaded_with_the_adapter_beside_it(tiny, llava, tmp_path: Path) -> None:
    vlm, result = llava
    save_model(tmp_path / "out", vlm, {}, {}, adapter=result.adapter, base=str(tiny.model))
    assert_reloads(tmp_path / "out", vlm)
    assert_reloads(tmp_path / "out" / "adapter", vlm)


@pytest.mark.parametrize("name", ["npo", "task-vector"])
def test_resumed_it_is_the_same_bit_for_bit(tiny, tmp_path: Path, name: str) -> None:
    config = config_of(method=method_config(name), learning_rates={"projector": 1e-3}, save_every=2, steps=4)
    whole = run(tiny, config, tmp_path / "whole", ROWS)

    def stop(stage: str, done: int, _total: int) -> None:
        if (stage, done) == ("align", 3):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run(tiny, config, tmp_path / "work", ROWS, stop)
    assert_same(run(tiny, config, tmp_path / "work", ROWS), whole)


def test_the_reference_is_the_model_before_training_though_the_projector_changes(tiny) -> None:
    """Without its adapter, the model would be another reference; the losses tell from the second step on."""
    cached = run(tiny, config_of(), rows=ROWS)
    live = run(tiny, config_of(optimizations=OFF.model_copy(update={"adapter_off": True})), rows=ROWS)
    for one, other in zip(cached.parts, live.parts, strict=True):
        assert one == pytest.approx(other, rel=1e-4)


def test_each_part_has_its_own_learning_rate(tiny) -> None:
    """The first step of Adam moves every weight by its learning rate, whatever its gradient."""
    rates = {"projector": 1e-4, "down_proj:1": 1e-5}
    trainable = {"language": "full", "projector": "full", "down_proj:1": "full"}
    once = config_of(trainable, lora=None, learning_rates=rates, steps=1, max_grad_norm=1e9)
    before, after = weights_of(loaded(tiny).model), run(tiny, once, rows=ROWS).weights
    moved = {name: float((after[name] - one).abs().max()) for name, one in before.items()}
    layers = "model.language_model.layers"
    assert moved["model.multi_modal_projector.linear_2.weight"] == pytest.approx(1e-4, rel=0.02)
    assert moved[f"{layers}.0.mlp.down_proj.weight"] == pytest.approx(1e-5, rel=0.02)
    assert moved[f"{layers}.0.mlp.up_proj.weight"] == pytest.approx(1e-2, rel=0.02)
    assert moved[f"{layers}.1.mlp.down_proj.weight"] == pytest.approx(1e-2, rel=0.02)


def test_groups_of_an_optimizer_are_split_by_rate() -> None:
    a, b, c = (nn.Parameter(torch.zeros(1)) for _ in range(3))
    groups = [{"params": [a, b], "lr": 1.0, "weight_decay": 0.1}, {"params": [c], "lr": 1.0, "weight_decay": 0.0}]
    found = split_groups(groups, {id(b): 0.5, id(c): 0.5})
    assert [(len(one["params"]), one["lr"], one["weight_decay"]) for one in found] == [
        (1, 1.0, 0.1), (1, 0.5, 0.1), (1, 0.5, 0.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("trainable", "lora"),
    [
        (LLAVA, {"rank": 2, "dora": True}),
        (LLAVA, {"rank": 2, "rslora": True, "modules_to_save": ["language_model.layers.1.mlp"]}),
        # The embeddings are shared with the output layer, so peft cannot hold them.
        ({"language": "full", "projector": "lora", "down_proj:2": "lora", "down_proj:3": "frozen"}, {"rank": 2}),
    ],
    ids=["dora", "modules_to_save", "beside"],
)
def test_other_ways_are_reloaded_too(tiny, tmp_path: Path, trainable: dict, lora: dict) -> None:
    vlm, result = trained(tiny, config_of(trainable, lora=lora))
    folder = saved_alone(tiny, tmp_path / "lora", vlm, result)
    assert_reloads(folder, vlm)
    before, after = hashes(tiny.load().model), hashes(vlm.model)
    changed = {name for name in after if after[name] != before[name]}
    beside = load_file(folder / TRAINED_BESIDE) if (folder / TRAINED_BESIDE).exists() else {}
    if trainable == LLAVA:
        assert not beside
        assert ("model.language_model.layers.1.mlp.up_proj" in _adapted(folder)) == ("dora" in lora)
    else:
        assert "model.language_model.embed_tokens.weight" in beside
        assert "model.language_model.layers.2.mlp.down_proj.weight" not in changed
        assert "model.language_model.layers.1.mlp.down_proj" in _adapted(folder)
        (folder / TRAINED_BESIDE).unlink()
        with pytest.raises(UserError, match=r"unmirage_trained\.safetensors: is missing, but unmirage_adapter"):
            HuggingFaceVLM.load(folder)


def _adapted(folder: Path) -> set[str]:
    names = load_file(folder / "adapter_model.safetensors")
    return {name.removeprefix("base_model.model.").partition(".lora_A")[0] for name in names if ".lora_A" in name}


def test_a_part_that_has_nothing_to_adapt_is_said(tiny, caplog: pytest.LogCaptureFixture) -> None:
    """As in Gemma 3, whose projector is a bare matrix."""
    vlm = loaded(tiny)
    vlm.model.model.multi_modal_projector = _Bare(vlm.model.model.multi_modal_projector)
    config = config_of({"language": "lora", "projector": "lora"}, steps=1)
    with pytest.raises(UserError, match=r"lora: the projector .* no linear module .*; write projector: full"):
        align(vlm, data_for(tiny, config.method, ROWS), config)
    with caplog.at_level(logging.WARNING):
        align(vlm, data_for(tiny, config.method, ROWS), config_of(("language", "projector"), steps=1))
    assert "the projector of this model has no linear module that could get an adapter; it stays frozen" in caplog.text


class _Bare(nn.Module):
    def __init__(self, projector: Any) -> None:
        super().__init__()
        self.matrix = nn.Parameter(projector.linear_2.weight @ projector.linear_1.weight)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features @ self.matrix.T


def test_modules_to_save_that_are_not_there(tiny) -> None:
    with pytest.raises(UserError, match=r"modules_to_save: no module with weights has a name that ends with 'head_'"):
        trained(tiny, config_of(lora={"rank": 2, "modules_to_save": ["head_"]}))


def test_modes_are_told() -> None:
    assert told(config_of()) == "language: lora, projector: full"
    assert told(AlignConfig()) == "language, projector"
    assert modes(AlignConfig(lora=2)) == {"language": "lora", "projector": "lora"}


def test_modules_to_save_do_not_reach_into_a_frozen_part(tiny) -> None:
    settings = {"trainable": {"language": "lora", "projector": "full"}, "lora": {"rank": 2, "modules_to_save": ["fc1"]}}
    with pytest.raises(UserError, match=r"lora.modules_to_save: '.*vision.*fc1' is in vision, which is frozen"):
        choose_trainable(loaded(tiny).model, AlignConfig(**settings))
