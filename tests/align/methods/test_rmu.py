"""RMU against values worked out by hand: what it is sent to, what is kept, and the paper's code."""

from __future__ import annotations

import math

import pytest
import torch
from tests.align.methods.streams import placed

from unmirage.align.methods.rmu import Rmu, RmuConfig, rmu_loss


def _pointing(direction: list[float], **settings: object) -> Rmu:
    """Return RMU with a direction that is known."""
    method = Rmu(RmuConfig(**settings))
    method._direction = torch.tensor(direction)
    return method


def test_hand_worked_values() -> None:
    hidden = torch.tensor([[1.0, 2.0], [0.0, 0.0], [3.0, 1.0]])
    # differences to (1, 1): (0, 1), (-1, -1), (2, 0); squares 1, 2, 4 over width 2
    assert rmu_loss(hidden, torch.ones(2)).tolist() == [0.5, 1.0, 2.0]


def test_a_target_of_its_own_for_each_place() -> None:
    hidden, target = torch.tensor([[1.0, 2.0], [0.0, 3.0]]), torch.tensor([[1.0, 0.0], [3.0, 3.0]])
    assert rmu_loss(hidden, target).tolist() == [2.0, 4.5]


def test_gradient_equals_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(4, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    target = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    # The loss computes in float32, so the steps must be coarser than gradcheck's own.
    assert torch.autograd.gradcheck(lambda h: rmu_loss(h, target).double(), (hidden,), eps=1e-2, atol=1e-3)
    # 2 (h - target) / width, by hand
    (grad,) = torch.autograd.grad(rmu_loss(hidden, target).sum(), hidden)
    torch.testing.assert_close(grad, 2 * (hidden.detach() - target) / 3, atol=1e-6, rtol=1e-6)


def test_forget_loss_sends_every_place_to_the_control_vector() -> None:
    part = _pointing([0.6, 0.8], scale=10).forget(placed([[6.0, 8.0], [0.0, 0.0], [5.0, 8.0]]))["forget"]
    # to (6, 8): 0, (36 + 64) / 2, 1 / 2
    assert part.total.item() == pytest.approx(50.5, rel=1e-6)
    assert (part.per, part.stream) == ("places", "forget")


def test_retain_term_is_the_distance_to_the_reference() -> None:
    stream = placed([[1.0, 2.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, 0.0]])
    parts = Rmu(RmuConfig(gamma=2, ce=0, alpha=0.5)).retain(stream)
    # (0, 2) and (3, 4): 4/2 + 25/2, times gamma alpha = 1
    assert parts["retain"].total.item() == pytest.approx(14.5, rel=1e-6)
    assert (parts["retain"].per, parts["retain"].stream) == ("places", "retain")
    assert "cross_entropy" not in parts


def test_official_losses_are_means_over_the_micro_batch() -> None:
    method = _pointing([0.6, 0.8], scale=5, compat="official", alpha=0.1, ce=0, gamma=1)
    forget = method.forget(placed([[3.0, 4.0], [0.0, 0.0]]))["forget"]
    # to (3, 4): 0 and 25/2, over two places
    assert (forget.total.item(), forget.per) == (pytest.approx(6.25, rel=1e-6), "batches")
    retain = method.retain(placed([[1.0, 2.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, 0.0]]))["retain"]
    assert (retain.total.item(), retain.per) == (pytest.approx(0.1 * 14.5 / 2, rel=1e-6), "batches")


@pytest.mark.parametrize("width", [8, 128])
def test_direction_has_length_one_and_no_negative_component(width: int) -> None:
    """As in the original: `torch.rand` over its norm, so it points into the first orthant."""
    direction = Rmu(RmuConfig(seed=3)).direction(torch.zeros(1, width))
    assert direction.shape == (width,)
    assert direction.norm().item() == pytest.approx(1, abs=1e-6)
    assert direction.min() >= 0
    # The mean of U(0, 1) over the root of its mean square, on a hypersphere: 0.5 / sqrt(1/3) / sqrt(width).
    assert direction.mean().item() == pytest.approx(math.sqrt(3) / 2 / math.sqrt(width), rel=0.3)


def test_direction_depends_on_the_seed_alone() -> None:
    first, again, other = (
        Rmu(RmuConfig(seed=seed, scale=scale, layer=layer)).direction(torch.zeros(2, 64))
        for seed, scale, layer in ((3, 1, 2), (3, 20, 5), (4, 1, 2))
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_drawing_it_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    Rmu(RmuConfig()).direction(torch.zeros(1, 16))
    assert torch.equal(torch.rand(3), expected)


def test_state_holds_the_control_vector_that_is_used() -> None:
    method = Rmu(RmuConfig(scale=20))
    assert method.state() == {}
    method.prepare(8)
    control = method.state()["control"]
    assert control.norm().item() == pytest.approx(20, abs=1e-4)
    assert torch.equal(control, method.target(placed([[0.0] * 8])))
