"""A LoRA adapter of LLaVA's own code, merged onto its base: W + (alpha / r) B A, and the projector beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.models.original_llava.checkpoint import Original

from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM
from unmirage.models.original_llava import convert

TARGET = "model.layers.1.self_attn.q_proj"
CONFIG = {"peft_type": "LORA", "r": 2, "lora_alpha": 6, "bias": "none", "use_rslora": False, "fan_in_fan_out": False}


def _drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


MATRICES = {
    f"base_model.model.{TARGET}.lora_A.weight": _drawn(2, 48, seed=1),
    f"base_model.model.{TARGET}.lora_B.weight": _drawn(48, 2, seed=2),
}
BIAS = _drawn(48, seed=3)


@pytest.fixture
def adapter(original: Original) -> Path:
    """Return the folder of an adapter; the checkpoint is its base."""
    folder = original.root / "lora"
    folder.mkdir()
    (folder / "config.json").write_text((original.folder / "config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG))
    save_file(MATRICES, folder / "adapter_model.safetensors")
    torch.save({"base_model.model.model.mm_projector.0.bias": BIAS}, folder / "non_lora_trainables.bin")
    return folder


def merge(original: Original, folder: Path, **options: Any) -> dict[str, torch.Tensor]:
    chosen = {"base": str(original.folder), "vision_tower": str(original.tower), "from_pickle": True, **options}
    convert(str(folder), original.root / "out", **chosen)
    return load_file(original.root / "out" / "model.safetensors")


@pytest.mark.parametrize(("rslora", "scale"), [(False, 3.0), (True, 6 / 2**0.5)])
def test_the_product_is_added(original: Original, adapter: Path, rslora: bool, scale: float) -> None:
    (adapter / "adapter_config.json").write_text(json.dumps(CONFIG | {"use_rslora": rslora}))
    held, mine = merge(original, adapter), load_file(original.folder / "model.safetensors")
    down, up = MATRICES.values()
    torch.testing.assert_close(
        held[f"language_model.{TARGET}.weight"], mine[f"{TARGET}.weight"] + scale * (up @ down), rtol=1e-6, atol=1e-6
    )
    assert torch.equal(held["multi_modal_projector.linear_1.bias"], BIAS)
    other = "model.layers.0.self_attn.q_proj.weight"
    assert torch.equal(held[f"language_model.{other}"], mine[other])
    HuggingFaceVLM.load(original.root / "out")


def test_its_projector_may_be_the_only_one(original: Original, adapter: Path) -> None:
    """The base may be a language model alone, as Vicuna is."""
    mine = load_file(original.folder / "model.safetensors")
    projector = {name: one for name, one in mine.items() if "mm_projector" in name}
    save_file({name: one for name, one in mine.items() if name not in projector}, original.folder / "model.safetensors")
    torch.save(
        {f"base_model.model.{name}": one for name, one in projector.items()}, adapter / "non_lora_trainables.bin"
    )
    held = merge(original, adapter)
    assert torch.equal(held["multi_modal_projector.linear_2.weight"], mine["model.mm_projector.2.weight"])


def test_needs_its_base_and_the_flag(original: Original, adapter: Path) -> None:
    with pytest.raises(UserError, match="holds a LoRA adapter; add --base"):
        merge(original, adapter, base=None)
    with pytest.raises(UserError, match=r"non_lora_trainables\.bin: is a pickle"):
        merge(original, adapter, from_pickle=False)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"use_dora": True}, "use_dora is True"),
        ({"bias": "all"}, "bias is 'all'"),
        ({"r": 0}, "r is 0 and lora_alpha 6"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
    ],
)
def test_what_is_no_plain_lora(original: Original, adapter: Path, config: dict[str, Any], said: str) -> None:
    (adapter / "adapter_config.json").write_text(json.dumps(CONFIG | config))
    with pytest.raises(UserError, match=said):
        merge(original, adapter)


@pytest.mark.parametrize(
    ("matrices", "said"),
    [
        ({f"base_model.model.{TARGET}.lora_A.weight": torch.ones(2, 48)}, "lora_B.weight is missing"),
        ({**MATRICES, "base_model.model.x.weight": torch.ones(1)}, "is not a LoRA matrix"),
        ({**MATRICES, f"base_model.model.{TARGET}.lora_B.weight": torch.ones(47, 2)}, "do not match"),
        ({name.replace("layers.1", "layers.9"): one for name, one in MATRICES.items()}, "which the base lacks"),
    ],
)
def test_matrices_that_do_not_fit(original: Original, adapter: Path, matrices: dict[str, Any], said: str) -> None:
    save_file({name: one.clone() for name, one in matrices.items()}, adapter / "adapter_model.safetensors")
    with pytest.raises(UserError, match=said):
        merge(original, adapter)
