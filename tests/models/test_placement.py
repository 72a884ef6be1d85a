"""The settings `dtype` and `device`."""

import logging

import pytest
import torch

from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM, placement
from unmirage.models.placement import Placement

CPU = torch.device("cpu")


@pytest.fixture
def cuda(monkeypatch):
    """Pretend that torch finds this many GPUs."""

    def pretend(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


def test_auto_is_float32_on_a_cpu_and_the_checkpoints_dtype_on_a_gpu(cuda):
    cuda(0)
    assert Placement.of() == (CPU, torch.float32)
    cuda(1)
    assert Placement.of() == (torch.device("cuda"), "auto")
    assert Placement.of(device="cpu") == (CPU, torch.float32)
    assert Placement.of("bfloat16", "cuda:0") == (torch.device("cuda:0"), torch.bfloat16)
    assert Placement.of("float32") == (torch.device("cuda"), torch.float32)


@pytest.mark.parametrize(
    ("gpus", "settings", "message"),
    [
        (0, {"dtype": "half"}, "unknown dtype 'half'; valid: auto, bfloat16, float32"),
        (0, {"device": "tpu"}, "device 'tpu': is unknown; valid: auto, cpu, cuda, cuda:N"),
        (0, {"device": "cuda:x"}, "device 'cuda:x': is unknown"),
        (0, {"device": "cuda"}, "device 'cuda': torch .*; valid: auto, cpu"),
        (2, {"device": "cuda:2"}, "device 'cuda:2': this machine has 2 GPUs; valid: cuda:0 to cuda:1"),
    ],
)
def test_what_is_unknown_or_missing_is_one_line(cuda, gpus, settings, message):
    cuda(gpus)
    with pytest.raises(UserError, match=message):
        Placement.of(**settings)


@pytest.mark.parametrize(("instructions", "lines"), [((), 1), (("amx_bf16",), 0), (None, 0)])
def test_a_processor_without_bfloat16_is_told_once(monkeypatch, caplog, instructions, lines):
    monkeypatch.setattr(placement, "bfloat16_instructions", lambda: instructions)
    monkeypatch.setattr(placement, "_noted", [])
    with caplog.at_level(logging.WARNING, logger="unmirage"):
        for _ in range(2):
            Placement.of("bfloat16", "cpu")
    assert len(caplog.records) == lines
    assert all("`unmirage doctor` measures both" in one.getMessage() for one in caplog.records)


def test_weights_are_loaded_in_the_dtype(tiny):
    vlm = HuggingFaceVLM.load(tiny.model, dtype="bfloat16", device="cpu")
    assert {one.dtype for one in vlm.model.parameters()} == {torch.bfloat16}
    assert vlm.dtype == "bfloat16"
    assert {one.dtype for one in tiny.load().model.parameters()} == {torch.float32}
