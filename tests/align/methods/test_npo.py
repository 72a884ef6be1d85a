"""NPO against values worked out by hand, its gradient by finite differences, its limits, and the paper's code."""

from __future__ import annotations

import math

import pytest
import torch
from tests.align.methods.streams import spoken

from unmirage.align.methods.npo import Npo, NpoConfig, npo_loss

LN2 = math.log(2)


def log_sigmoid(x: float) -> float:
    return -math.log(1 + math.exp(-x))


def test_hand_worked_values() -> None:
    logp, ref = torch.tensor([-5.0, -2.0]), torch.tensor([-2.0, -4.0])
    # log-ratios -3 and 2; beta 0.5: -4 log sigmoid(1.5) and -4 log sigmoid(-1)
    expected = [-4 * log_sigmoid(1.5), -4 * log_sigmoid(-1.0)]
    assert npo_loss(logp, ref, beta=0.5).tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("beta", [0.05, 0.1, 0.9, 4.0])
def test_is_two_over_beta_ln_two_where_policy_and_reference_agree(beta: float) -> None:
    logp = torch.tensor([-3.0, -7.5])
    assert npo_loss(logp, logp, beta).tolist() == pytest.approx([2 / beta * LN2] * 2, rel=1e-6)


def test_gradient_equals_finite_differences() -> None:
    logp = torch.tensor([-5.0, -2.0, -9.0], dtype=torch.float64, requires_grad=True)
    ref = torch.tensor([-4.0, -3.0, -9.5], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: npo_loss(x, ref, 0.3), (logp,))


def test_becomes_gradient_ascent_as_beta_goes_to_zero() -> None:
    """-(2/beta) log sigmoid(-beta x) = (2/beta) ln 2 + x + O(beta): value and slope are those of ascent."""
    logp = torch.tensor([-5.0, -1.0], dtype=torch.float64, requires_grad=True)
    ref = torch.tensor([-4.0, -3.0], dtype=torch.float64)
    for beta in (1e-2, 1e-3, 1e-4):
        loss = npo_loss(logp, ref, beta)
        (grad,) = torch.autograd.grad(loss.sum(), logp)
        ratio = (logp - ref).detach()
        assert torch.all((loss.detach() - 2 / beta * LN2 - ratio).abs() <= beta * ratio**2)
        assert torch.all((grad - 1).abs() <= beta * ratio.abs())


def test_pushes_less_where_much_is_forgotten_already() -> None:
    logp = torch.tensor([-50.0, -5.0], requires_grad=True)
    npo_loss(logp, torch.tensor([-5.0, -5.0]), beta=0.5).sum().backward()
    assert logp.grad is not None
    # 2 sigmoid(beta x): 2 / (1 + e^22.5), and 1 where nothing has moved yet
    assert logp.grad.tolist() == pytest.approx([2 / (1 + math.exp(22.5)), 1.0], rel=1e-5)


def test_a_sequence_counts_as_the_sum_of_its_tokens() -> None:
    stream = spoken([-1.0, -2.0, -0.5, -4.0], [-1.5, -1.0, -1.0, -2.0], row=[0, 0, 0, 1])
    part = Npo(NpoConfig(beta=0.5)).forget(stream)["forget"]
    # rows: -3.5 against -3.5, and -4 against -2
    assert part.total.item() == pytest.approx(4 * LN2 - 4 * log_sigmoid(1.0), rel=1e-6)
    assert (part.per, part.stream) == ("rows", "forget")


def test_reduction_mean_divides_by_the_length_of_each_answer() -> None:
    stream = spoken([-1.0, -2.0, -0.6, -4.0], [-1.0, -1.0, -1.0, -2.0], row=[0, 0, 0, 1])
    part = Npo(NpoConfig(beta=0.5, reduction="mean")).forget(stream)["forget"]
    # rows: -1.2 against -1, and -4 against -2
    assert part.total.item() == pytest.approx(-4 * log_sigmoid(0.1) - 4 * log_sigmoid(1.0), rel=1e-6)


def test_a_mean_over_tokens_is_beta_over_length() -> None:
    """What the paper's code does to beta: NPO with means over n tokens is n times NPO with sums at beta / n... ."""
    logp, ref, n, beta = torch.tensor([-6.0]), torch.tensor([-4.0]), 4, 0.8
    means = npo_loss(logp / n, ref / n, beta)
    sums = npo_loss(logp, ref, beta / n)
    assert sums.item() == pytest.approx(n * means.item(), rel=1e-6)


def test_official_forget_loss_is_one_log_sigmoid_of_the_batch_mean() -> None:
    stream = spoken([-1.0, -2.0, -0.5, -4.5], [-1.5, -1.0, -1.0, -2.5], row=[0, 0, 0, 1])
    part = Npo(NpoConfig(beta=0.9, compat="official")).forget(stream)["forget"]
    # token means: l = 8/4 = 2 and l_ref = 6/4 = 1.5, so -(2/0.9) log sigmoid(0.9 * 0.5)
    assert part.total.item() == pytest.approx(-(2 / 0.9) * log_sigmoid(0.45), rel=1e-6)
    assert part.per == "batches"


def test_official_retain_term_by_hand() -> None:
    stream = spoken([-1.0, -2.0, -3.0, -4.0], [-2.0, -2.0, -2.0, -2.0], row=[0, 0, 0, 1])
    config = NpoConfig(beta=0.7, compat="official", retain_term="npo", gamma=1, ce=0.5, alpha=0.2)
    parts = Npo(config).retain(stream)
    # l = 2.5, l_ref = 2: alpha (2/beta) log sigmoid(beta (l - l_ref))
    assert parts["retain"].total.item() == pytest.approx(0.2 * (2 / 0.7) * log_sigmoid(0.35), rel=1e-6)
    assert parts["retain"].per == "batches"
    assert parts["cross_entropy"].total.item() / 4 == pytest.approx(0.5 * 2.5)


def test_the_retain_term_of_the_papers_code_fades_as_the_damage_grows() -> None:
    """Its slope in the retain loss is 2 alpha sigmoid(-beta (l - l_ref)): the more is lost, the less it pulls."""
    slopes = []
    for damage in (0.0, 2.0, 10.0):
        stream = spoken([-1.0 - damage], [-1.0])
        stream.policy.log_probs.requires_grad_()
        part = Npo(NpoConfig(beta=0.9, retain_term="npo")).own_term(stream)
        part.total.backward()
        assert stream.policy.log_probs.grad is not None
        slopes.append(-stream.policy.log_probs.grad.item())
    assert slopes == pytest.approx([2 / (1 + math.exp(0.9 * damage)) for damage in (0.0, 2.0, 10.0)], rel=1e-4)


def test_own_retain_term_without_compat_is_by_sequence() -> None:
    stream = spoken([-1.0, -2.0, -4.0], [-1.5, -1.0, -2.0], row=[0, 0, 1])
    part = Npo(NpoConfig(beta=0.5, retain_term="npo")).own_term(stream)
    # minus NPO of rows -3 against -2.5 and -4 against -2
    assert part.total.item() == pytest.approx(4 * log_sigmoid(0.25) + 4 * log_sigmoid(1.0), rel=1e-6)
    assert (part.per, part.stream) == ("rows", "retain")
