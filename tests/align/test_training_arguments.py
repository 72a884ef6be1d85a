"""Two steps of the optimizer on two numbers, worked by hand: schedule, warm-up, decay, clipping and AdamW's moments."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import Trainer

from unmirage.align import AlignConfig
from unmirage.align.arguments import check_optimizer, training_arguments
from unmirage.errors import UserError

WEIGHT, BIAS = 3.0, 4.0


class Toy(nn.Module):
    """The loss is half the square of a weight, which decays, and of a bias, which does not: each is its gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        nn.init.constant_(self.layer.weight, WEIGHT)
        nn.init.constant_(self.layer.bias, BIAS)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"loss": (self.layer.weight.square().sum() + self.layer.bias.square().sum()) / 2 + 0 * x.sum()}


def trained(tmp_path: Path, **settings: float | str) -> tuple[float, float]:
    """Return weight and bias after a run."""
    settings = {"learning_rate": 0.1, "batch_size": 1, "warmup": 0.0, "max_grad_norm": 1e9} | settings
    config = AlignConfig(**settings)
    assert config.steps is not None
    model = Toy()
    arguments = training_arguments(config, config.steps, tmp_path, keeps=False, unused=False)
    arguments.use_cpu = True
    Trainer(model=model, args=arguments, train_dataset=[{"x": torch.zeros(1)}] * 8).train()
    return float(model.layer.weight.detach()), float(model.layer.bias.detach())


def test_the_first_step_goes_by_the_rate(tmp_path: Path) -> None:
    """Both moments are corrected to g and g^2: 3 - 0.1 * 3 / 3 and 4 - 0.1 * 4 / 4."""
    assert trained(tmp_path, steps=1) == pytest.approx((2.9, 3.9), abs=1e-6)


def test_only_the_weight_decays(tmp_path: Path) -> None:
    """The decay takes 0.1 * 0.5 * 3 off the weight, beside the step."""
    assert trained(tmp_path, steps=1, weight_decay=0.5) == pytest.approx((2.9 - 0.15, 3.9), abs=1e-6)
    assert trained(tmp_path, steps=1, weight_decay=1.0) == pytest.approx((2.9 - 0.3, 3.9), abs=1e-6)


def second(first: float, rate: float, start: float = WEIGHT) -> float:
    """Return a number after the second step of AdamW with moments of 0.9 and 0.999, from that after the first."""
    mean = (0.9 * 0.1 * start + 0.1 * first) / (1 - 0.9**2)
    square = (0.999 * 0.001 * start**2 + 0.001 * first**2) / (1 - 0.999**2)
    return first - rate * mean / math.sqrt(square)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    # Of four steps: a cosine at 1/4 of its half turn is (1 + sqrt(1/2)) / 2, a line at 1/4 is 3/4.
    [("constant", 1.0), ("linear", 0.75), ("cosine", (1 + math.sqrt(0.5)) / 2)],
)
def test_the_second_step_has_the_moments_of_both_and_the_rate_of_its_schedule(
    tmp_path: Path, schedule: str, rates: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    step = torch.optim.AdamW.step

    def looked(self: torch.optim.AdamW, *arguments: object) -> object:
        seen.append(self.param_groups[0]["params"][0].item())
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", looked)
    trained(tmp_path, steps=4, schedule=schedule)
    assert seen[:3] == pytest.approx([3.0, 2.9, second(2.9, 0.1 * rates)], abs=1e-6)


def test_the_rate_rises_in_the_warm_up(tmp_path: Path) -> None:
    """One step of warm-up, of two: no rate at first, then the whole rate. The gradient is 3 both times."""
    for schedule in ("cosine", "linear", "constant"):
        found = trained(tmp_path, steps=2, warmup=0.5, schedule=schedule)
        assert found == pytest.approx((2.9, 3.9), abs=1e-6), schedule
    # Two steps of warm-up, of three: no rate, half of it, so that the gradient falls to 2.95, and the whole rate.
    mean = (0.9 * 0.1 * (0.9 * 3 + 3) + 0.1 * 2.95) / (1 - 0.9**3)
    square = (0.999 * 0.001 * (0.999 * 9 + 9) + 0.001 * 2.95**2) / (1 - 0.999**3)
    assert trained(tmp_path, steps=3, warmup=0.6)[0] == pytest.approx(2.95 - 0.1 * mean / math.sqrt(square), abs=1e-6)
    # Without it, a cosine over two steps: the whole rate, then half of it.
    assert trained(tmp_path, steps=2)[0] == pytest.approx(second(2.9, 0.05), abs=1e-6)


def test_a_gradient_is_cut_to_the_limit(tmp_path: Path) -> None:
    """The gradient (3, 4) is 5 long. Cut to 1e-8, it is (6e-9, 8e-9), where AdamW's epsilon of 1e-8 counts."""
    cut = [3 - 0.1 * 6e-9 / (6e-9 + 1e-8), 4 - 0.1 * 8e-9 / (8e-9 + 1e-8)]
    assert trained(tmp_path, steps=1, max_grad_norm=1e-8) == pytest.approx(cut, abs=1e-5)
    assert trained(tmp_path, steps=1, max_grad_norm=5.1) == pytest.approx((2.9, 3.9), abs=1e-6)
    # In the second step, the first gradient counts cut to 2.5, that is 1.5, and the second one, 2.9 and 3.9, too.
    length = math.hypot(2.9, 3.9)
    first, later = 1.5, 2.9 * 2.5 / length
    mean = (0.9 * 0.1 * first + 0.1 * later) / 0.19
    square = (0.999 * 0.001 * first**2 + 0.001 * later**2) / (1 - 0.999**2)
    expected = 2.9 - 0.05 * mean / math.sqrt(square)
    assert trained(tmp_path, steps=2, max_grad_norm=2.5)[0] == pytest.approx(expected, abs=1e-6)


def test_the_defaults(tmp_path: Path) -> None:
    """Without settings: 5e-7, cosine, 3 % of warm-up, no decay, gradients of at most 1."""
    found = training_arguments(AlignConfig(), 100, tmp_path, keeps=False, unused=False)
    assert (found.learning_rate, found.weight_decay, found.max_grad_norm) == (5e-7, 0.0, 1.0)
    assert (found.lr_scheduler_type, found.get_warmup_steps(100)) == ("cosine", 3)
    assert (found.adam_beta1, found.adam_beta2, found.adam_epsilon) == (0.9, 0.999, 1e-8)


def test_an_8_bit_optimizer_needs_a_gpu_and_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    check_optimizer(AlignConfig())
    config = AlignConfig(optimizer="adamw8bit")
    monkeypatch.setattr("unmirage.align.arguments.on_gpu", lambda: False)
    with pytest.raises(UserError, match="optimizer adamw8bit: needs a GPU of CUDA"):
        check_optimizer(config)
    monkeypatch.setattr("unmirage.align.arguments.on_gpu", lambda: True)
    monkeypatch.setattr("unmirage.models.quantized.find_spec", lambda _: None)
    with pytest.raises(UserError, match="pip install bitsandbytes"):
        check_optimizer(config)
