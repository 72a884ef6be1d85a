"""SimNPO against values worked out by hand, and its gradient by finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from tests.align.methods.streams import spoken

from unmirage.align.methods.npo import SimNpo, SimNpoConfig, npo_loss, sim_npo_loss


def log_sigmoid(x: float) -> float:
    return -math.log(1 + math.exp(-x))


def test_hand_worked_values() -> None:
    # beta 2, margin 0.5: -log sigmoid(2 * 0.25 - 0.5) = ln 2, and -log sigmoid(2 * 3 - 0.5)
    found = sim_npo_loss(torch.tensor([-0.25, -3.0]), beta=2.0, margin=0.5).tolist()
    assert found == pytest.approx([math.log(2), -log_sigmoid(5.5)], rel=1e-5)


def test_gradient_equals_finite_differences() -> None:
    mean_logp = torch.tensor([-0.2, -1.0, -4.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: sim_npo_loss(x, 2.5, 0.3), (mean_logp,))


def test_is_npo_against_a_reference_that_is_sure_of_everything() -> None:
    mean_logp = torch.tensor([-0.2, -1.0, -4.0])
    torch.testing.assert_close(sim_npo_loss(mean_logp, 1.3, 0.0), npo_loss(mean_logp, torch.zeros(3), 1.3))


def test_a_margin_asks_for_less_probability() -> None:
    losses = [sim_npo_loss(torch.tensor([-1.0]), 2.0, margin).item() for margin in (0.0, 1.0, 2.0)]
    assert losses == pytest.approx([-log_sigmoid(2.0), -log_sigmoid(1.0), math.log(2)], rel=1e-5)


def test_length_does_not_matter() -> None:
    stream = spoken([-1.0, -1.0, -1.0, -1.0, -1.0], row=[0, 0, 0, 0, 1])
    part = SimNpo(SimNpoConfig(beta=2.0)).forget(stream)["forget"]
    assert part.total.item() == pytest.approx(2 * -log_sigmoid(2.0), rel=1e-5)
    assert (part.per, part.stream) == ("rows", "forget")
