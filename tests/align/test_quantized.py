"""QLoRA and optimizers of 8 bits: what is held in 4 bits, and one line where the machine or a setting does not fit."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.align.runs import data_for, loaded
from torch import nn
from transformers.quantizers.quantizers_utils import should_convert_module

from unmirage.align import AlignConfig, align
from unmirage.align.arguments import training_arguments
from unmirage.align.estimate.memory import states
from unmirage.align.lora import adapted_modules, choose_trainable
from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM
from unmirage.models.quantized import check_bitsandbytes, four_bits
from unmirage.workflows.align import AlignFiles, train_and_save
from unmirage.workflows.align_work import loading_of

QLORA: dict[str, Any] = {"trainable": {"language": "lora", "projector": "full"}, "lora": {"rank": 2, "bits": 4}}


def test_adapted_matrices_are_held_in_four_bits_and_no_other(tiny) -> None:
    model = loaded(tiny).model
    names = adapted_modules(model, AlignConfig(**QLORA))
    config = four_bits(model, names, torch.device("cpu"))["quantization_config"]
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    assert [name for name in linear if should_convert_module(name, config.llm_int8_skip_modules)] == names
    assert len(names) == 28
    assert (config.bnb_4bit_quant_type, config.bnb_4bit_use_double_quant) == ("nf4", True)
    assert loading_of(str(tiny.model), AlignConfig(**QLORA))["quantization_config"].to_dict() == config.to_dict()
    assert loading_of(str(tiny.model), AlignConfig(lora=2)) == {}


def test_an_estimate_counts_four_bits_for_them(tiny) -> None:
    held = []
    for bits in (None, 4):
        model = loaded(tiny).model.to(torch.bfloat16).to("meta")
        config = AlignConfig(**QLORA | {"lora": {"rank": 2, "bits": bits}, "precision": "bfloat16"})
        choose_trainable(model, config)
        held.append(states(model, config, 4, live=False).weights)
        adapted = sum(one.numel() for name, one in model.named_parameters() if name.endswith(".base_layer.weight"))
    assert held[0] - held[1] == pytest.approx(adapted * (2 - 0.516), rel=1e-3)


@pytest.mark.parametrize(
    ("optimizer", "theirs"), [("adamw8bit", "adamw_bnb_8bit"), ("paged-adamw8bit", "paged_adamw_8bit")]
)
def test_optimizers_of_eight_bits_are_the_librarys(tmp_path: Path, optimizer: str, theirs: str) -> None:
    made = training_arguments(AlignConfig(optimizer=optimizer), 1, tmp_path, keeps=False, unused=False)
    assert made.optim == theirs
    assert training_arguments(AlignConfig(), 1, tmp_path, keeps=False, unused=False).optim == "adamw_torch_fused"


def test_a_machine_without_gpu_or_package_is_told() -> None:
    with pytest.raises(UserError, match=r"lora\.bits 4: needs a GPU of CUDA, and this training has none; leave it out"):
        check_bitsandbytes("lora.bits 4", gpu=False)
    if find_spec("bitsandbytes") is None:
        with pytest.raises(UserError, match=r"needs bitsandbytes, which is not installed \(pip install bitsandbytes\)"):
            check_bitsandbytes("optimizer adamw8bit", gpu=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (QLORA, "lora.bits 4: needs a GPU of CUDA"),
        ({"optimizer": "adamw8bit"}, "optimizer adamw8bit: needs a GPU of CUDA"),
    ],
)
def test_a_training_that_cannot_be_is_refused_before_anything_is_read(
    tmp_path: Path, settings: Any, message: str
) -> None:
    files = AlignFiles(retain=[tmp_path / "gone.json"])
    with pytest.raises(UserError, match=message):
        train_and_save("gone", files, AlignConfig(**settings), tmp_path / "o", device="cpu")
    assert list(tmp_path.iterdir()) == []


def test_settings_that_do_not_go_with_four_bits(tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmirage.models.quantized.check_bitsandbytes", lambda *_, **__: None)
    files, config = AlignFiles(retain=[tiny.data / "general.json"]), AlignConfig(**QLORA)
    with pytest.raises(UserError, match=r"cannot be merged into 4-bit weights; save it alone with --save adapter"):
        train_and_save(str(tiny.model), files, config, tmp_path / "o")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"adapter' is an adapter, but 4 bits need a whole model"):
        train_and_save(str(adapter), files, config, tmp_path / "o", adapter_only=True)
    vlm = loaded(tiny)
    with pytest.raises(UserError, match=r"lora\.bits: is 4, but the model is not held in 4 bits"):
        align(vlm, data_for(tiny, config.method, 2), config)
    vlm.model.is_loaded_in_4bit = True
    with pytest.raises(UserError, match=r"lora\.bits: is None, but the model is held in 4 bits"):
        align(vlm, data_for(tiny, config.method, 2), AlignConfig(lora=2))
    with pytest.raises(UserError, match=r"lora\.bits: 4 needs bfloat16 arithmetic; leave out precision float32"):
        align(vlm, data_for(tiny, config.method, 2), AlignConfig(**QLORA, precision="float32"))


@pytest.mark.filterwarnings("ignore:bitsandbytes")
def test_a_training_in_four_bits(tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the package, on a CPU: its own kernels are those of a GPU in another order."""
    pytest.importorskip("bitsandbytes")
    monkeypatch.setattr("unmirage.models.quantized.check_bitsandbytes", lambda *_, **__: None)
    config = AlignConfig(**QLORA, precision="bfloat16", learning_rate=1e-3, steps=2, batch_size=2, warmup=0)
    files = AlignFiles(retain=[tiny.data / "general.json"])
    train_and_save(str(tiny.model), files, config, tmp_path / "o", adapter_only=True)
    start, end = tiny.load().model.state_dict(), HuggingFaceVLM.load(tmp_path / "o").model.state_dict()
    changed = {name.split(".")[1] for name, one in start.items() if not torch.equal(one, end[name])}
    assert changed == {"language_model", "multi_modal_projector"}
