"""Foretold parameters, states and caches against the real ones, to the byte."""

import pytest
import torch
from tests.align.estimate.measuring import data_of, few
from tests.models.tiny_families import FAMILIES

from unmirage.align import AlignConfig, NpoConfig, RmuConfig, align
from unmirage.align.config import LoraSettings, Optimizations
from unmirage.align.estimate.memory import count_parameters, reference_bytes
from unmirage.align.estimate.run import estimate
from unmirage.align.estimate.skeleton import Skeleton
from unmirage.align.lora import choose_trainable
from unmirage.align.methods import AdaptiveRmuConfig
from unmirage.align.reference import Reference
from unmirage.align.trainer import AlignTrainer
from unmirage.models import HuggingFaceVLM
from unmirage.models.families import part_of

LORA = LoraSettings(rank=4)


def test_a_directory_and_a_loaded_model_give_the_same_skeleton(tiny):
    vlm = tiny.load()
    for source in (tiny.model, str(tiny.model), vlm):
        skeleton = Skeleton.of(source).model
        assert {one.device.type for one in skeleton.parameters()} == {"meta"}
        assert {name: (one.shape, one.dtype) for name, one in skeleton.named_parameters()} == {
            name: (one.shape, one.dtype) for name, one in vlm.model.named_parameters()
        }


@pytest.mark.parametrize("lora", [None, LORA], ids=["full", "lora"])
@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_are_those_of_the_true_model(family, lora):
    model, processor = FAMILIES[family]()
    skeleton = Skeleton.of(HuggingFaceVLM(family, model, processor)).model
    for one in (skeleton, model):
        choose_trainable(one, AlignConfig(lora=lora))
    found = {part.part: part for part in count_parameters(skeleton).parts}
    for part in found:
        own = [one for name, one in model.named_parameters() if part_of(model, name) == part]
        assert found[part].total == sum(one.numel() for one in own)
        assert found[part].trainable == sum(one.numel() for one in own if one.requires_grad)


@pytest.mark.parametrize(
    "settings",
    [
        {"method": NpoConfig()},
        {"method": NpoConfig(), "lora": LORA},
        {"method": RmuConfig(layer=2, ce=0)},
        {"method": NpoConfig(), "trainable": ("down_proj:2", "projector")},
    ],
    ids=["full", "lora", "rmu-early", "down"],
)
def test_weights_gradients_and_optimizer_are_exact_after_a_step(tiny, monkeypatch, settings):
    config = AlignConfig(steps=1, batch_size=2, precision="float32", **settings)
    foretold = estimate(tiny.model, few(tiny), config).memory[0]
    real = {}
    step = torch.optim.AdamW.step

    def look(optimizer, *arguments, **keywords):
        model = spied["trainer"].model
        real["weights"] = sum(one.numel() * one.element_size() for one in model.parameters())
        real["gradients"] = sum(
            one.grad.numel() * one.grad.element_size() for one in model.parameters() if one.grad is not None
        )
        result = step(optimizer, *arguments, **keywords)
        real["optimizer"] = sum(
            tensor.numel() * tensor.element_size() for state in optimizer.state.values() for tensor in state.values()
        )
        return result

    spied = {}
    init = AlignTrainer.__init__

    def remember(trainer, **keywords):
        spied["trainer"] = trainer
        init(trainer, **keywords)

    monkeypatch.setattr(torch.optim.AdamW, "step", look)
    monkeypatch.setattr(AlignTrainer, "__init__", remember)
    align(tiny.load(), few(tiny), config)
    assert real == {
        "weights": foretold.weights,
        "gradients": foretold.gradients,
        "optimizer": foretold.optimizer,
    }


@pytest.mark.parametrize("lora", [None, LORA], ids=["full", "lora"])
@pytest.mark.parametrize("adapter_off", [True, False])
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("trainable", [("language",), ("projector",)], ids=str)
def test_the_reference_copies_what_is_foretold(tiny, lora, adapter_off, live, trainable):
    model = tiny.load().model
    config = AlignConfig(lora=lora, trainable=trainable, optimizations=Optimizations(adapter_off=adapter_off))
    choose_trainable(model, config)
    reference = Reference(model, 1, config.optimizations, adapted=lora is not None, cached=not live)
    copies = [one for one in vars(reference).values() if isinstance(one, torch.nn.Module) and one is not model]
    held = sum(one.numel() * one.element_size() for copy in copies for one in copy.parameters())
    assert reference_bytes(model, config, live=live) == held


@pytest.mark.parametrize("method", [NpoConfig(), AdaptiveRmuConfig(layer=2)], ids=lambda method: method.name)
@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step")
def test_caches_take_the_bytes_that_are_foretold(tiny, tmp_path, method):
    config = AlignConfig(method=method, steps=2, batch_size=2, precision="float32")
    data = data_of(tiny)
    foretold = estimate(tiny.model, data, config).disk
    align(tiny.load(), data, config, work=tmp_path)
    real = {file.name.rsplit("-", 1)[0]: file.stat().st_size for file in (tmp_path / "caches").glob("*.bin")}
    assert sum(real.values()) == sum(one.bytes for one in foretold)
    assert sorted(real.values()) == sorted(one.bytes for one in foretold)
    assert {one.stream for one in foretold} == {"forget", "retain"}
