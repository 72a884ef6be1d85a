"""What the optimizer is given: learning rates by their formulas, decay and clipping by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from tests.align.runs import loaded, run, weights_of
from torch import Tensor
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from unmirage.align import AlignConfig

RATE = 1e-2
ROWS = 4
STEPS = 10


@dataclass
class Steps:
    """What the optimizer saw at each of its steps."""

    rates: list[float] = field(default_factory=list)
    gradients: list[Tensor] = field(default_factory=list)  # all of them end to end, as they were applied

    def look(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        (rate,) = {group["lr"] for group in optimizer.param_groups}
        parameters = [one for group in optimizer.param_groups for one in group["params"] if one.grad is not None]
        self.rates.append(rate)
        self.gradients.append(torch.cat([one.grad.detach().double().flatten() for one in parameters]))


def watched(tiny, **settings: Any) -> Steps:
    """Return the steps of a short run."""
    steps = Steps()
    handle = register_optimizer_step_pre_hook(steps.look)
    try:
        run(tiny, AlignConfig(**{"learning_rate": RATE, "batch_size": ROWS, "steps": STEPS} | settings), rows=ROWS)
    finally:
        handle.remove()
    return steps


# Of what is left after the warm-up, from 0 to 1.
SHAPES: dict[str, Callable[[float], float]] = {
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
    "linear": lambda done: 1 - done,
    "constant": lambda done: 1.0,
}


@pytest.mark.parametrize(("warmup", "rising"), [(0.0, 0), (0.4, 4), (0.25, 3)])  # 2.5 steps are begun ones: 3
@pytest.mark.parametrize("schedule", SHAPES)
def test_learning_rates_follow_the_formula_of_their_schedule(tiny, schedule: str, warmup: float, rising: int) -> None:
    found = watched(tiny, schedule=schedule, warmup=warmup).rates
    expected = [step / rising for step in range(rising)]
    expected += [SHAPES[schedule]((step - rising) / (STEPS - rising)) for step in range(rising, STEPS)]
    assert found == pytest.approx([RATE * share for share in expected], rel=1e-9, abs=1e-15)


def test_a_rate_by_hand(tiny) -> None:
    """Ten steps, four of warm-up: a quarter, a half, three quarters, then half a cosine over six."""
    found = watched(tiny, warmup=0.4, learning_rate=1.0).rates
    root = math.sqrt(3) / 2
    cosine = [1, (1 + root) / 2, 0.75, 0.5, 0.25, (1 - root) / 2]
    assert found == pytest.approx([0, 0.25, 0.5, 0.75, *cosine], abs=1e-9)


def test_gradients_longer_than_the_limit_are_cut_to_it(tiny) -> None:
    (whole,) = watched(tiny, steps=1, warmup=0, max_grad_norm=1e9).gradients
    length = float(whole.norm())
    assert length > 1.5  # the default limit, 1, would cut it
    for limit in (0.25, 1.2):
        (cut,) = watched(tiny, steps=1, warmup=0, max_grad_norm=limit).gradients
        assert float(cut.norm()) == pytest.approx(limit, rel=1e-5)
        torch.testing.assert_close(cut, whole * (limit / length), rtol=1e-4, atol=1e-9)
    (longer,) = watched(tiny, steps=1, warmup=0, max_grad_norm=1.01 * length).gradients
    assert torch.equal(longer, whole)


def test_weights_decay_apart_from_the_gradient_and_norms_and_biases_do_not(tiny) -> None:
    """One step of AdamW: w - rate * (step of Adam + decay * w), the second part of which the decay adds by itself."""
    decay = 0.5
    start = weights_of(loaded(tiny).model)
    plain, decayed = (
        run(
            tiny, AlignConfig(learning_rate=RATE, batch_size=ROWS, steps=1, warmup=0, weight_decay=one), rows=ROWS
        ).weights
        for one in (0.0, decay)
    )
    fell, stayed = [], []
    for name, before in start.items():
        if torch.equal(plain[name], before):
            continue  # it does not train, or has no gradient
        apart = plain[name].double() - decayed[name].double()
        is_matrix = before.ndim > 1
        expected = RATE * decay * before.double() if is_matrix else torch.zeros_like(apart)
        torch.testing.assert_close(apart, expected, rtol=0, atol=1e-7 + 2e-7 * float(before.abs().max()))
        (fell if is_matrix else stayed).append(name)
        if is_matrix:
            assert float(apart.abs().max()) > 1e-4
    assert len(fell) > 20
    assert any("norm" in name for name in stayed)
    assert any("bias" in name for name in stayed)


def test_adams_first_step_by_hand(tiny) -> None:
    """Both moments are corrected to g and g^2, so each weight goes by the rate, g / (|g| + 1e-8) of it."""
    start = weights_of(loaded(tiny).model)
    steps = Steps()
    handle = register_optimizer_step_pre_hook(steps.look)
    try:
        after = run(
            tiny, AlignConfig(learning_rate=RATE, batch_size=ROWS, steps=1, warmup=0, max_grad_norm=1e9), rows=ROWS
        ).weights
    finally:
        handle.remove()
    (gradient,) = steps.gradients
    own = [name for name in start if name != "lm_head.weight"]  # which is the embedding's
    went = torch.cat([(start[name] - after[name]).double().flatten() for name in own])
    expected = RATE * gradient / (gradient.abs() + 1e-8)
    assert float(went.abs().max()) == pytest.approx(RATE, rel=1e-3)
    assert float(went.norm()) == pytest.approx(float(expected.norm()), rel=1e-4)
