"""Weights rounded to 8 bits: by hand, and only where linear modules are."""

import pytest
import torch
from torch import nn

from unmirage.evaluate.robustness import round_to_int8
from unmirage.evaluate.robustness.variants import rounded


def test_by_hand():
    weight = torch.tensor([[1.27, 0.004, 0.006, -0.635], [-2.54, 0.05, 0.03, 0.0], [0.0, 0.0, 0.0, 0.0]])
    # steps of 0.01 and 0.02: 0.4 and 0.6 of one; -63.5 and 2.5 go to the even number, -64 and 2
    expected = torch.tensor([[1.27, 0.0, 0.01, -0.64], [-2.54, 0.04, 0.04, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert torch.allclose(rounded(weight.double()).float(), expected, atol=1e-6)


def test_the_largest_of_a_row_stays_and_nothing_moves_by_more_than_half_a_step():
    weight = torch.randn(40, 60, generator=torch.Generator().manual_seed(0))
    found = rounded(weight)
    step = weight.abs().amax(dim=1, keepdim=True) / 127
    assert ((found - weight).abs() <= step / 2 + 1e-7).all()
    assert torch.allclose(found.abs().amax(dim=1), weight.abs().amax(dim=1))
    levels = found / step
    assert torch.allclose(levels, levels.round(), atol=1e-4)
    assert torch.allclose(rounded(found), found, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_type_of_the_weights_stays(dtype):
    assert rounded(torch.ones(2, 3, dtype=dtype)).dtype is dtype


def test_all_linear_modules_and_nothing_else(tiny):
    model = tiny.load().model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    names = round_to_int8(model)
    after = model.state_dict()
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    linear = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    assert {name.removesuffix(".weight") for name in changed} == set(names) == linear - {"lm_head"}
    assert any("vision" in name for name in names)
    assert any("projector" in name for name in names)
    for name in names:
        assert torch.equal(after[f"{name}.weight"], rounded(before[f"{name}.weight"]))
