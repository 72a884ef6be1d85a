"""NPO against hand-worked values, its gradient by finite differences, and its limits."""

import math

import pytest
import torch

from unmirage.align.methods.npo import Npo, NpoConfig, npo_loss
from unmirage.align.objective import Stream, sequence_log_probs
from unmirage.models.encoding import IGNORED


def test_equals_the_reference_at_step_zero() -> None:
    logp = torch.tensor([-3.0, -7.5])
    # -(2 / 0.1) * log sigmoid(0) = 20 * ln 2
    assert npo_loss(logp, logp, beta=0.1).item() == pytest.approx(20 * math.log(2), abs=1e-5)


def test_hand_worked_value() -> None:
    logp, ref = torch.tensor([-5.0, -2.0]), torch.tensor([-2.0, -4.0])
    # log-ratios -3 and 2, beta 0.5: -4 * mean(log sigmoid(1.5), log sigmoid(-1))
    expected = -4 * (math.log(1 / (1 + math.exp(-1.5))) + math.log(1 / (1 + math.exp(1.0)))) / 2
    assert npo_loss(logp, ref, beta=0.5).item() == pytest.approx(expected, abs=1e-6)


def test_gradient_equals_finite_differences() -> None:
    logp = torch.tensor([-5.0, -2.0, -9.0], dtype=torch.float64, requires_grad=True)
    ref = torch.tensor([-4.0, -3.0, -9.5], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: npo_loss(x, ref, 0.3), (logp,))


def test_gradient_is_that_of_ascent_as_beta_goes_to_zero() -> None:
    logp = torch.tensor([-5.0, -1.0], dtype=torch.float64, requires_grad=True)
    npo_loss(logp, torch.tensor([-4.0, -3.0], dtype=torch.float64), beta=1e-6).backward()
    # d/dx of -(2/beta) log sigmoid(-beta x) at beta -> 0 is 1, averaged over two rows
    torch.testing.assert_close(logp.grad, torch.full((2,), 0.5, dtype=torch.float64), atol=1e-5, rtol=0)


def test_pushes_less_where_much_is_forgotten_already() -> None:
    logp = torch.tensor([-50.0, -5.0], requires_grad=True)
    npo_loss(logp, torch.tensor([-5.0, -5.0]), beta=0.5).backward()
    assert logp.grad is not None
    assert logp.grad[0] < 1e-6 < logp.grad[1]


def _stream(logits: torch.Tensor, labels: list[list[int]]) -> Stream:
    marked = torch.tensor(labels)
    return Stream(logits, marked, marked != IGNORED)


def test_log_probabilities_are_sums_over_the_answer() -> None:
    # Uniform logits over 4 tokens: every answer token costs ln 4, whatever the prompt.
    logits = torch.zeros(2, 5, 4)
    stream = _stream(logits, [[IGNORED, IGNORED, 1, 2, 3], [IGNORED, IGNORED, IGNORED, IGNORED, 0]])
    expected = torch.tensor([-3 * math.log(4), -math.log(4)])
    torch.testing.assert_close(sequence_log_probs(stream), expected)


def test_loss_of_a_batch_is_the_mean_of_its_rows() -> None:
    """The official code's loss changes with the micro-batch; a loss of sums per sequence must not."""
    generator = torch.Generator().manual_seed(0)
    logp, ref = (torch.randn(6, generator=generator) * 5 for _ in range(2))
    whole = npo_loss(logp, ref, 0.2)
    halves = (npo_loss(logp[:3], ref[:3], 0.2) + npo_loss(logp[3:], ref[3:], 0.2)) / 2
    torch.testing.assert_close(whole, halves)


def test_parts_are_weighted_by_gamma_and_alpha() -> None:
    generator = torch.Generator().manual_seed(1)
    policy, reference = (torch.randn(2, 4, 6, generator=generator) for _ in range(2))
    labels = [[IGNORED, 1, 2, 3], [IGNORED, IGNORED, 4, 5]]
    streams = [_stream(logits, labels) for logits in (policy, policy, reference, reference)]
    plain = Npo(NpoConfig(beta=0.1, gamma=1, alpha=1)).losses(*streams)
    weighed = Npo(NpoConfig(beta=0.1, gamma=3, alpha=0.5)).losses(*streams)
    torch.testing.assert_close(weighed["forget"], plain["forget"])
    torch.testing.assert_close(weighed["cross_entropy"], 3 * plain["cross_entropy"])
    torch.testing.assert_close(weighed["retain"], 1.5 * plain["retain"])
