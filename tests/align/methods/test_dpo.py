"""DPO against values worked out by hand, its gradient by finite differences, and the answers that it prefers."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from tests.align.methods.streams import spoken

from unmirage.align.methods.dpo import IDK, REFUSALS, Dpo, DpoConfig, dpo_loss, ipo_loss, simpo_loss
from unmirage.text.refusals import is_refusal


def log_sigmoid(x: float) -> float:
    return -math.log(1 + math.exp(-x))


@pytest.mark.parametrize("beta", [0.01, 0.1, 2.0])
def test_is_ln_two_where_policy_and_reference_agree(beta: float) -> None:
    logp, other = torch.tensor([-3.0, -30.0]), torch.tensor([-12.0, -1.0])
    assert dpo_loss(logp, logp, other, other, beta).tolist() == pytest.approx([math.log(2)] * 2, rel=1e-6)


def test_hand_worked_value() -> None:
    one = [torch.tensor([x]) for x in (-4.0, -5.0, -9.0, -6.0)]
    # (-4 + 5) - (-9 + 6) = 4, beta 0.5
    assert dpo_loss(*one, beta=0.5).item() == pytest.approx(-log_sigmoid(2.0), rel=1e-6)


def test_gradient_equals_finite_differences() -> None:
    logp, other = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in ([-5.0, -2.0], [-3.0, -8.0]))
    ref = torch.tensor([-4.0, -3.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x, y: dpo_loss(x, ref, y, ref, 0.3), (logp, other))


def test_raises_the_preferred_and_lowers_the_harmful_answer_alike() -> None:
    logp, other = (torch.tensor([x], requires_grad=True) for x in (-5.0, -2.0))
    dpo_loss(logp, torch.tensor([-5.0]), other, torch.tensor([-2.0]), 0.3).sum().backward()
    assert logp.grad is not None
    assert other.grad is not None
    # beta sigmoid(0)
    assert (logp.grad.item(), other.grad.item()) == (pytest.approx(-0.15), pytest.approx(0.15))


def test_answers_are_compared_as_sums_over_their_tokens() -> None:
    harmful = spoken([-1.0, -2.0, -4.0], [-1.5, -1.0, -2.0], row=[0, 0, 1])  # -3 vs -2.5, -4 vs -2
    preferred = spoken([-1.0, -2.0, -0.5], [-1.0, -1.5, -1.0], row=[0, 1, 1])  # -1 vs -1, -2.5 vs -2.5
    part = Dpo(DpoConfig(beta=0.5)).forget(replace(harmful, prefer=preferred))["forget"]
    assert part.total.item() == pytest.approx(-log_sigmoid(0.25) - log_sigmoid(1.0), rel=1e-6)
    assert (part.per, part.stream) == ("rows", "forget")


def test_preferred_answers_are_of_the_kind_that_is_asked_for() -> None:
    assert Dpo(DpoConfig()).preferred() == IDK
    assert Dpo(DpoConfig(prefer="refusal")).preferred() == REFUSALS
    assert Dpo(DpoConfig(prefer="refusal", prefer_texts=("Ask a chemist.",))).preferred() == ("Ask a chemist.",)


def test_refusals_are_refusals() -> None:
    assert [text for text in REFUSALS if not is_refusal(text)] == []


def test_hand_worked_values_of_ipo_and_simpo() -> None:
    one = [torch.tensor([x]) for x in (-4.0, -5.0, -9.0, -6.0)]
    assert ipo_loss(*one, beta=0.25).item() == pytest.approx((4 - 2) ** 2)
    # 2 * (-1 + 1.5) - 0.4
    assert simpo_loss(torch.tensor([-1.0]), torch.tensor([-1.5]), 2.0, 0.4).item() == pytest.approx(-log_sigmoid(0.6))


def test_gradients_of_ipo_and_simpo_equal_finite_differences() -> None:
    logp, other = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in ([-5.0, -2.0], [-3.0, -8.0]))
    ref = torch.tensor([-4.0, -3.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x, y: ipo_loss(x, ref, y, ref, 0.3), (logp, other))
    assert torch.autograd.gradcheck(lambda x, y: simpo_loss(x, y, 0.3, 0.5), (logp, other))


def test_ipo_and_simpo_compare_means_over_tokens() -> None:
    other = spoken([-1.0, -2.0, -4.0], [-1.5, -1.0, -2.0], row=[0, 0, 1])  # means: -1.5 vs -1.25, -4 vs -2
    preferred = spoken([-1.0, -2.0, -0.5], [-1.0, -1.5, -1.0], row=[0, 1, 1])  # means: -1 vs -1, -1.25 vs -1.25
    pair = replace(other, prefer=preferred)
    ipo = Dpo(DpoConfig(loss="ipo", beta=0.5)).forget(pair)["forget"]
    assert ipo.total.item() == pytest.approx((0.25 - 1) ** 2 + (2 - 1) ** 2, rel=1e-6)
    simpo = Dpo(DpoConfig(loss="simpo", beta=2, margin=0.5)).forget(replace(pair, reference=None))["forget"]
    assert simpo.total.item() == pytest.approx(-log_sigmoid(2 * 0.5 - 0.5) - log_sigmoid(2 * 2.75 - 0.5), rel=1e-6)
    assert Dpo(DpoConfig(loss="simpo")).forget_needs() == frozenset()


def test_settings_of_a_loss() -> None:
    assert {"loss", "margin"}.isdisjoint(DpoConfig().model_dump())
    simpo = DpoConfig(loss="simpo")
    assert (simpo.beta, simpo.margin) == (2.0, 1.0)
    assert DpoConfig(**simpo.model_dump()) == simpo
    assert DpoConfig(loss="simpo", beta=3, margin=0).model_dump()["margin"] == 0
    with pytest.raises(ValidationError, match="margin: loss 'ipo' has none"):
        DpoConfig(loss="ipo", margin=1)
