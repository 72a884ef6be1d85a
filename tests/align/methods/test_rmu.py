"""RMU against hand-worked values: which positions count, where the control vector points, what is kept."""

import pytest
import torch

from unmirage.align.methods.rmu import Rmu, RmuConfig, rmu_forget_loss
from unmirage.align.objective import Stream


def test_hand_worked_value() -> None:
    hidden = torch.tensor([[[1.0, 2.0], [9.0, 9.0]], [[0.0, 0.0], [3.0, 1.0]]])
    content = torch.tensor([[True, False], [True, True]])
    # differences to (1, 1): (0, 1), (-1, -1), (2, 0); squares 1 + 2 + 4 over 3 tokens of width 2
    assert rmu_forget_loss(hidden, content, torch.ones(2)).item() == pytest.approx(7 / 6)


def test_padding_and_image_positions_get_no_gradient() -> None:
    hidden = torch.randn(1, 4, 3, requires_grad=True)
    content = torch.tensor([[False, True, True, False]])
    rmu_forget_loss(hidden, content, torch.ones(3)).backward()
    assert hidden.grad is not None
    assert torch.all(hidden.grad[0, [0, 3]] == 0)
    assert torch.all(hidden.grad[0, [1, 2]] != 0)


def test_gradient_equals_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(2, 3, 2, dtype=torch.float64, generator=generator, requires_grad=True)
    content = torch.tensor([[True, True, False], [True, False, False]])
    control = torch.tensor([0.5, -1.0], dtype=torch.float64)
    # The losses compute in float32, so the steps must be coarser than gradcheck's own.
    assert torch.autograd.gradcheck(
        lambda h: rmu_forget_loss(h, content, control).double(), (hidden,), eps=1e-2, atol=1e-3
    )


def test_control_vector_has_its_length_and_depends_on_the_seed_alone() -> None:
    like = torch.zeros(1, 1, 64)
    first, again = (Rmu(RmuConfig(scale=20, seed=3)).control(like) for _ in range(2))
    other = Rmu(RmuConfig(scale=20, seed=4)).control(like)
    assert first.norm().item() == pytest.approx(20, abs=1e-4)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_state_holds_the_control_vector_that_was_used() -> None:
    method = Rmu(RmuConfig())
    assert method.state() == {}
    used = method.control(torch.zeros(1, 1, 8))
    assert torch.equal(method.state()["control"], used)


def test_retain_term_is_the_distance_to_the_reference() -> None:
    labels = torch.full((1, 2), -100)
    labels[0, 1] = 1
    content = torch.tensor([[True, True]])
    logits = torch.zeros(1, 2, 4)
    moved = Stream(logits, labels, content, torch.full((1, 2, 3), 2.0))
    still = Stream(logits, labels, content, torch.zeros(1, 2, 3))
    parts = Rmu(RmuConfig(alpha=0.5, gamma=2)).losses(moved, moved, still, still)
    assert parts["retain"].item() == pytest.approx(2 * 0.5 * 4.0)
    assert parts["cross_entropy"].item() == pytest.approx(2 * torch.log(torch.tensor(4.0)).item())
