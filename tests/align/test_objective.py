"""The parts that all methods share, against values worked out by hand or by their definition."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as functional
from hypothesis import given
from hypothesis import strategies as st

from unmirage.align.forward import log_probs_of
from unmirage.align.objective import MethodConfig, Outputs, Stream, freeze, kl_to_reference


def _stream(policy: torch.Tensor, reference: torch.Tensor) -> Stream:
    nothing = torch.zeros(len(policy))
    row = torch.zeros(len(policy), dtype=torch.long)
    return Stream(1, row, Outputs(nothing, policy), Outputs(nothing, reference))


def test_log_probs_by_hand() -> None:
    logits = torch.tensor([[5.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    expected = [5.0 - math.log(math.exp(5.0) + 2), -math.log(3)]
    assert log_probs_of(logits, torch.tensor([0, 2])).tolist() == pytest.approx(expected, rel=1e-6)


def test_log_probs_are_computed_in_float32() -> None:
    logits = torch.tensor([[100.0, 99.0]], dtype=torch.bfloat16)
    found = log_probs_of(logits, torch.tensor([0]))
    assert found.dtype is torch.float32
    assert found.item() == pytest.approx(-math.log(1 + math.exp(-1.0)), rel=1e-5)


def test_sums_and_means_go_by_row() -> None:
    stream = Stream(3, torch.tensor([0, 2, 0, 0]), Outputs(torch.zeros(4)))
    values = torch.tensor([1.0, 5.0, 2.0, 6.0])
    assert stream.sums(values).tolist() == [9.0, 0.0, 5.0]
    assert stream.means(values).tolist() == [3.0, 0.0, 5.0]  # a row without loss tokens has none to divide by


def test_kl_is_zero_against_itself() -> None:
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)) * 10
    assert kl_to_reference(_stream(logits, logits)).abs().max().item() < 1e-6


def test_kl_by_hand() -> None:
    """Reference (3/4, 1/4), policy (1/2, 1/2): 3/4 ln(3/2) + 1/4 ln(1/2)."""
    found = kl_to_reference(_stream(torch.zeros(1, 2), torch.tensor([[math.log(3.0), 0.0]])))
    assert found.tolist() == pytest.approx([0.75 * math.log(1.5) + 0.25 * math.log(0.5)], rel=1e-5)


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 20))
def test_kl_is_never_negative_and_knows_no_constant(seed: int, spread: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    policy, reference = (torch.randn(3, 6, generator=generator) * spread for _ in range(2))
    found = kl_to_reference(_stream(policy, reference))
    assert found.min().item() > -1e-5
    torch.testing.assert_close(kl_to_reference(_stream(policy + 3, reference - 2)), found, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("spread", [1e-3, 1e-2, 1e-1])
def test_kl_of_what_hardly_differs_is_not_rounding(spread: float) -> None:
    """In float32, sum p (log p - log q) is off by some 1e-7, whatever the divergence: here by several per cent."""
    generator = torch.Generator().manual_seed(0)
    reference = torch.randn(20, 1000, generator=generator)
    policy = reference + spread * torch.randn(20, 1000, generator=generator)
    exact = functional.kl_div(
        policy.double().log_softmax(-1), reference.double().log_softmax(-1), reduction="none", log_target=True
    ).sum(-1)
    torch.testing.assert_close(kl_to_reference(_stream(policy, reference)).double(), exact, atol=0, rtol=2e-3)


def test_kl_of_what_is_far_apart_is_finite_with_its_gradient() -> None:
    policy = torch.tensor([[0.0, 300.0], [300.0, 0.0]], requires_grad=True)
    found = kl_to_reference(_stream(policy, torch.tensor([[300.0, 0.0], [299.0, 0.0]])))
    assert found.tolist() == pytest.approx([300.0, 0.0], abs=1e-6)
    (grad,) = torch.autograd.grad(found.sum(), policy)
    torch.testing.assert_close(grad, torch.tensor([[-1.0, 1.0], [0.0, 0.0]]))


def test_kl_gradient_is_the_difference_of_the_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    policy, reference = (torch.randn(2, 4, dtype=torch.float64, generator=generator) for _ in range(2))
    policy.requires_grad_()
    # The loss computes in float32, so the steps must be coarser than gradcheck's own.
    assert torch.autograd.gradcheck(
        lambda x: kl_to_reference(_stream(x, reference)).double(), (policy,), eps=1e-2, atol=1e-3
    )
    (grad,) = torch.autograd.grad(kl_to_reference(_stream(policy, reference)).sum(), policy)
    torch.testing.assert_close(grad, policy.detach().softmax(-1) - reference.softmax(-1), atol=1e-6, rtol=1e-5)


def test_a_retain_side_that_weighs_nothing_is_refused() -> None:
    assert MethodConfig(gamma=0, ce=0).retain_term == "none"
    with pytest.raises(ValueError, match="gamma: has no effect"):
        MethodConfig(ce=0)


def test_frozen_modules_neither_learn_nor_drop_out() -> None:
    module = freeze(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.5)))
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())
