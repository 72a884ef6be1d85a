"""Adaptive RMU: the control vector is as long as what the reference says, times scale."""

from __future__ import annotations

import pytest
import torch
from tests.align.methods.streams import placed

from unmirage.align.methods.rmu import AdaptiveRmu, AdaptiveRmuConfig, Rmu, RmuConfig


def test_target_is_scale_times_the_length_of_the_references_activation() -> None:
    method = AdaptiveRmu(AdaptiveRmuConfig(scale=5))
    target = method.target(placed([[0.0] * 4] * 3, [[3.0, 4.0, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0], [1.0, 1.0, 1.0, 1.0]]))
    assert target.norm(dim=-1).tolist() == pytest.approx([25, 10, 10], rel=1e-6)
    directions = target / target.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(directions, method.direction(torch.zeros(1, 4)).expand(3, 4))


def test_hand_worked_value() -> None:
    method = AdaptiveRmu(AdaptiveRmuConfig(scale=2))
    method._direction = torch.tensor([0.6, 0.8])
    part = method.forget(placed([[6.0, 8.0], [0.0, 1.0]], [[3.0, 4.0], [0.5, 0.0]]))["forget"]
    # targets 10 (0.6, 0.8) and 1 (0.6, 0.8): 0, and (0.36 + 0.04) / 2
    assert part.total.item() == pytest.approx(0.2, rel=1e-5)
    assert part.per == "places"


def test_the_policys_own_length_does_not_move_the_target() -> None:
    method = AdaptiveRmu(AdaptiveRmuConfig())
    small, large = (method.target(placed([[size] * 4], [[1.0, 2.0, 3.0, 4.0]])) for size in (0.1, 100.0))
    assert torch.equal(small, large)


def test_it_points_where_rmu_points() -> None:
    like = torch.zeros(1, 16)
    adaptive, plain = AdaptiveRmu(AdaptiveRmuConfig(seed=2)), Rmu(RmuConfig(seed=2))
    assert torch.equal(adaptive.direction(like), plain.direction(like))
    assert torch.equal(10 * adaptive.state()["direction"], plain.state()["control"])
