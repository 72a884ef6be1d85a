"""The losses of preference pairs and their gradients equal those of TRL's trainers on the same batch."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.align.runs import loaded
from torch import Tensor, nn

from unmirage.align import AlignConfig, AlignData
from unmirage.align.methods import DpoConfig, make_method
from unmirage.align.module import AlignModule, count
from unmirage.align.plan import make_collator, make_rows, stream_samples, suited
from unmirage.align.reference import Reference

pytest.importorskip("trl")
pytest.importorskip("datasets")
# TRL uses names that transformers has deprecated.
pytestmark = [pytest.mark.filterwarnings("ignore::FutureWarning"), pytest.mark.filterwarnings("ignore::UserWarning")]
ROWS = 4
BETA = {"dpo": 0.3, "ipo": 0.2, "simpo": 2.5}


@pytest.fixture(scope="module")
def batch(tiny) -> dict[str, Any]:
    """Return our batch of pairs with the model in training, which is not the reference any more.

    The answers of a pair have different lengths, and one row has no image.
    """
    vlm = loaded(tiny)
    rejected = ("You need amber, moss and tin.", "Tin.", "You need moss. You need tin.", "Amber and moss.")
    pairs = [replace(one, rejected=text) for one, text in zip(tiny.samples("safety")[:ROWS], rejected, strict=True)]
    pairs[-1] = replace(pairs[-1], image=None)
    reference = copy.deepcopy(vlm.model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in vlm.model.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
    return {"vlm": vlm, "reference": reference, "data": AlignData(retain=(), images=tiny.images, pairs=pairs)}


def _ours(batch: dict[str, Any], loss: str, data: AlignData) -> tuple[float, dict[str, Tensor], Any]:
    """Return our loss, its gradients, and the passed batch."""
    vlm = batch["vlm"]
    config = suited(AlignConfig(method=DpoConfig(loss=loss, beta=BETA[loss], **_margin(loss))), data)
    method = make_method(config.method)
    rows = make_rows(stream_samples(method, data, 0), vlm.processor, data.images, config)
    collator = make_collator(vlm.model, vlm.processor, method, config, one_pass=True)
    (passed,) = collator([{name: stream[index] for name, stream in rows.items()} for index in range(ROWS)])
    reference = Reference(batch["reference"], 1, config.optimizations, adapted=False, cached=False)
    module = AlignModule(vlm.model.train(), method, reference, config.optimizations)
    (total,) = module(passed, count([passed])).values()
    return total.item(), _gradients(vlm.model, total), passed


def _margin(loss: str) -> dict[str, float]:
    return {"margin": 0.7} if loss == "simpo" else {}


def _gradients(model: nn.Module, total: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    total.backward()
    return {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}


def _swapped(passed: Any, tensor: Tensor) -> Tensor:
    """Return the rows of a tensor with the chosen answers first, as TRL has them."""
    return torch.cat([tensor[slice(*passed.rows[name])] for name in ("prefer", "forget")])


def _settings(folder: Path, loss: str) -> dict[str, Any]:
    shared = {"output_dir": str(folder), "use_cpu": True, "bf16": False, "report_to": "none", "beta": BETA[loss]}
    return {**shared, "max_length": None, "activation_checkpointing": False}


def _assert_same(
    ours: tuple[float, dict[str, Tensor]], theirs: tuple[float, dict[str, Tensor]], unused: tuple[str, ...] = ()
) -> None:
    assert ours[0] == pytest.approx(theirs[0], abs=1e-6, rel=1e-6)
    assert ours[1].keys() == theirs[1].keys()
    largest = max(float(one.abs().max()) for one in theirs[1].values())
    assert largest > 1e-3
    apart = max(float((one - theirs[1][name]).abs().max()) for name, one in ours[1].items())
    assert apart <= 1e-6 * max(1.0, largest), (apart, largest)


@pytest.mark.parametrize(("loss", "name"), [("dpo", "sigmoid"), ("ipo", "ipo")])
def test_loss_and_gradient_equal_those_of_dpo_trainer(batch, tmp_path: Path, loss: str, name: str) -> None:
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    *ours, passed = _ours(batch, loss, batch["data"])
    model = copy.deepcopy(batch["vlm"].model)  # the trainer changes how the forward pass of its models works
    trainer = DPOTrainer(
        model=model,
        ref_model=copy.deepcopy(batch["reference"]),
        args=DPOConfig(**_settings(tmp_path, loss), loss_type=[name]),
        train_dataset=Dataset.from_list([{"images": [], "prompt": "Tin?", "chosen": "No.", "rejected": "Yes."}]),
        processing_class=batch["vlm"].processor,
    )
    # Each image once: the rows that have none come without one.
    pictures = passed.inputs["pixel_values"]
    inputs = {
        "input_ids": _swapped(passed, passed.inputs["input_ids"]),
        "attention_mask": _swapped(passed, passed.inputs["attention_mask"]),
        "completion_mask": _swapped(passed, passed.loss).long(),
        "pixel_values": torch.cat([pictures[ROWS - 1 :], pictures[: ROWS - 1]]),
    }
    total = trainer.compute_loss(model, inputs)
    _assert_same(tuple(ours), (total.item(), _gradients(model, total)))


def test_loss_and_gradient_equal_those_of_cpo_trainer_with_simpo(
    batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    from datasets import Dataset
    from trl.experimental.cpo import CPOConfig, CPOTrainer

    data = replace(batch["data"], pairs=[replace(one, image=None) for one in batch["data"].pairs])
    *ours, passed = _ours(batch, "simpo", data)
    vlm = batch["vlm"]
    trainer = CPOTrainer(
        model=vlm.model,
        args=CPOConfig(**_settings(tmp_path, "simpo"), loss_type="simpo", cpo_alpha=0.0, simpo_gamma=0.7),
        train_dataset=Dataset.from_list([{"prompt": "Tin?", "chosen": "No.", "rejected": "Yes."}]),
        processing_class=vlm.processor.tokenizer,
    )
    labels = passed.inputs["input_ids"].masked_fill(~passed.loss, -100)
    inputs = {
        f"{kind}_{what}": tensor[slice(*passed.rows[name])]
        for kind, name in (("chosen", "prefer"), ("rejected", "forget"))
        for what, tensor in (
            ("input_ids", passed.inputs["input_ids"]),
            ("attention_mask", passed.inputs["attention_mask"]),
            ("labels", labels),
        )
    }
    total, _ = trainer.get_batch_loss_metrics(vlm.model, inputs)
    _assert_same(tuple(ours), (total.item(), _gradients(vlm.model, total)))
