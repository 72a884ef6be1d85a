"""Gradient ascent, and the two methods that add a retain side to it; SFT and task vectors, which descend."""

from __future__ import annotations

import pytest
import torch
from tests.align.methods.streams import full, spoken

from unmirage.align.methods import METHOD_CONFIGS, make_method
from unmirage.align.methods.gradient_ascent import KlMin, KlMinConfig
from unmirage.align.methods.sft import Sft, SftConfig
from unmirage.align.objective import Outputs, Stream


@pytest.mark.parametrize(("name", "sign"), [("ga", 1), ("grad-diff", 1), ("kl-min", 1), ("task-vector", -1)])
def test_forget_loss_is_a_mean_over_tokens_whatever_their_row(name: str, sign: int) -> None:
    method = make_method(METHOD_CONFIGS.find(name)())
    part = method.forget(spoken([-1.0, -2.0, -4.5], row=[0, 0, 1]))["forget"]
    assert part.total.item() == sign * -7.5
    assert (part.per, part.stream) == ("tokens", "forget")


@pytest.mark.parametrize(("name", "sign"), [("ga", 1), ("task-vector", -1)])
def test_gradient_is_the_same_for_every_token(name: str, sign: int) -> None:
    """Ascent has no floor: what is forgotten already is pushed on as hard as ever."""
    stream = spoken([-0.1, -50.0])
    stream.policy.log_probs.requires_grad_()
    make_method(METHOD_CONFIGS.find(name)()).forget(stream)["forget"].total.backward()
    assert stream.policy.log_probs.grad is not None
    assert stream.policy.log_probs.grad.tolist() == [sign, sign]


def test_gradient_equals_finite_differences() -> None:
    logits = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    method = make_method(METHOD_CONFIGS.find("ga")())

    def loss(x: torch.Tensor) -> torch.Tensor:
        stream = Stream(1, torch.zeros(3, dtype=torch.long), Outputs(x.log_softmax(-1)[:, 1]))
        return method.forget(stream)["forget"].total

    assert torch.autograd.gradcheck(loss, (logits,))


@pytest.mark.parametrize("name", ["ga", "task-vector"])
def test_those_that_keep_nothing_take_no_retain_set(name: str) -> None:
    method = make_method(METHOD_CONFIGS.find(name)())
    assert not method.retains
    assert make_method(METHOD_CONFIGS.find(name)(gamma=0.5)).retains


def test_kl_min_learns_from_no_label() -> None:
    method = KlMin(KlMinConfig())
    assert method.wants("retain") == method.needs("retain") == {"logits"}
    assert list(method.retain(full(0)["retain"])) == ["retain"]


def test_sft_has_no_forget_loss_and_weighs_the_rest() -> None:
    stream = spoken([-1.0, -2.0, -4.5], row=[0, 0, 1])
    assert Sft(SftConfig()).forget(stream) == {}
    parts = Sft(SftConfig(gamma=2.0, ce=0.5)).retain(stream)
    assert {name: part.total.item() for name, part in parts.items()} == {"cross_entropy": 7.5}
    assert parts["cross_entropy"].per == "tokens"
