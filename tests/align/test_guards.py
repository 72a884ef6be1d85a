"""What stops a run: a loss or a weight that is no number, and a model that collapses."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.align.runs import data_for, loaded, method_config, run, weights_of

from unmirage.align import AlignConfig, align
from unmirage.align import module as module_module
from unmirage.align.guards import DivergenceError, Guards, check_weights

SETTINGS = {"learning_rate": 1e-3, "batch_size": 2, "steps": 8, "save_every": 2}
ROWS = 4


def test_a_number_that_is_none_stops_at_once() -> None:
    guards = Guards(5.0, 1.0)
    guards.look(1, {"forget": 3.0, "cross_entropy": 1.0})
    for bad in (math.nan, math.inf, -math.inf):
        with pytest.raises(DivergenceError, match=r"training diverged at step 2: .*; lower learning_rate") as caught:
            guards.look(2, {"forget": bad})
        assert caught.value.step == 2


def _steps_until_stop(losses: list[float], rise: float | None, weight: float = 1.0) -> int | None:
    guards = Guards(rise, weight)
    for step, loss in enumerate(losses, start=1):
        try:
            guards.look(step, {"cross_entropy": weight * loss})
        except DivergenceError:
            return step
    return None


def test_a_rise_is_that_of_the_last_ten_over_the_first_ten() -> None:
    # Start 2.0; from step 11 on 8.0, so after n of those the last ten average 2 + 6 n / 10: over 5 with n = 9.
    losses = [2.0] * 10 + [8.0] * 10
    assert _steps_until_stop(losses, 5.0) == 19
    assert _steps_until_stop(losses, 3.0) == 16
    assert _steps_until_stop(losses, 6.0) is None
    assert _steps_until_stop(losses, None) is None


@pytest.mark.parametrize("weight", [0.25, 1.0, 3.0])
def test_nats_are_those_of_a_token_whatever_the_weight(weight: float) -> None:
    assert _steps_until_stop([2.0] * 10 + [8.0] * 10, 5.0, weight) == 19


def test_one_hard_batch_stops_nothing() -> None:
    assert _steps_until_stop([2.0] * 15 + [40.0] + [2.0] * 15, 5.0) is None


def test_a_slow_fall_and_a_rise_back_stop_nothing() -> None:
    assert _steps_until_stop([8.0 - 0.1 * step for step in range(60)] + [8.0] * 20, 5.0) is None


def test_without_cross_entropy_or_its_weight_only_numbers_are_looked_at() -> None:
    guards = Guards(1.0, 0.0)
    for step in range(1, 40):
        guards.look(step, {"cross_entropy": float(step), "forget": -float(step)})


def test_a_resumed_guard_stops_where_it_would_have_stopped() -> None:
    losses = [2.0] * 10 + [8.0] * 10
    for taken in (4, 12, 17):
        guards = Guards(5.0, 1.0)
        guards.replay({"cross_entropy": loss} for loss in losses[:taken])
        for step in range(taken + 1, 19):
            guards.look(step, {"cross_entropy": losses[step - 1]})
        with pytest.raises(DivergenceError, match=r"step 19: .*has risen by 5\.4 nats per token"):
            guards.look(19, {"cross_entropy": losses[18]})


def test_a_weight_that_is_no_number_is_named() -> None:
    good, bad = torch.ones(3), torch.tensor([1.0, math.nan])
    check_weights(4, [("a", good), ("b", good)])
    with pytest.raises(DivergenceError, match="step 4: 'b' contains NaN or Inf"):
        check_weights(4, [("a", good), ("b", bad), ("c", bad)])


def _nan_from(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    """Let the loss be no number from a step on; one forward a step."""
    calls = iter(range(1, 1000))
    forward = module_module.AlignModule.forward

    def broken(self, batch, counts):
        parts = forward(self, batch, counts)
        factor = math.nan if next(calls) >= first else 1.0
        return {name: part * factor for name, part in parts.items()}

    monkeypatch.setattr(module_module.AlignModule, "forward", broken)


@pytest.mark.parametrize("work", [False, True])
def test_before_there_is_a_checkpoint_it_is_an_error(tiny, tmp_path: Path, monkeypatch, work: bool) -> None:
    _nan_from(monkeypatch, 2)
    with pytest.raises(DivergenceError, match=r"training diverged at step 2: .*nan"):
        run(tiny, AlignConfig(**SETTINGS), tmp_path if work else None, ROWS)


@pytest.mark.parametrize("first", [4, 5])
def test_with_checkpoints_the_last_good_weights_come_back(tiny, tmp_path: Path, monkeypatch, first: int) -> None:
    config = AlignConfig(method=method_config("npo"), **SETTINGS)
    good = 2 * ((first - 1) // 2)
    with monkeypatch.context() as patch:
        _nan_from(patch, first)
        ran = run(tiny, config, tmp_path, ROWS)
    assert f"training diverged at step {first}" in ran.result.stopped
    assert ran.result.steps == len(ran.parts) == good
    assert all(math.isfinite(value) for parts in ran.parts for value in parts.values())
    held = load_file(tmp_path / "checkpoints" / f"step-{good}" / "model.safetensors")
    assert held
    assert [name for name, one in held.items() if not torch.equal(ran.weights[name.removeprefix("model.")], one)] == []
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    assert [line["parts"] for line in lines] == ran.parts
    # With the cause gone, the run goes on from there and ends as one that never had it.
    again = run(tiny, config, tmp_path, ROWS)
    assert (again.result.stopped, again.result.steps) == ("", 8)
    assert again.parts[:good] == ran.parts


def test_a_model_that_goes_to_pieces_is_stopped_and_a_good_one_given_back(tiny, tmp_path: Path) -> None:
    """Ascent has no floor: at such a learning rate GradDiff ruins the retain set too."""
    config = AlignConfig(
        method=method_config("grad-diff"),
        learning_rate=0.1,
        batch_size=2,
        steps=30,
        save_every=2,
        warmup=0,
        schedule="constant",
    )
    ran = run(tiny, config, tmp_path, ROWS)
    assert "nats per token (collapse_nats); lower learning_rate" in ran.result.stopped
    assert 0 < ran.result.steps < 30
    with pytest.raises(DivergenceError, match="has risen by"):
        run(tiny, config, rows=ROWS)
    free = run(tiny, config.model_copy(update={"collapse_nats": None, "steps": 4}), rows=ROWS)
    assert (free.result.stopped, free.result.steps) == ("", 4)


def _spoil_after(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let an optimiser step leave a weight that is no number, which the step's own loss cannot show."""
    calls = iter(range(1, 1000))
    take = torch.optim.AdamW.step

    def spoiled(self, *arguments, **options):
        result = take(self, *arguments, **options)
        if next(calls) == step:
            with torch.no_grad():
                self.param_groups[0]["params"][0].view(-1)[0] = math.nan
        return result

    monkeypatch.setattr(torch.optim.AdamW, "step", spoiled)


def test_a_checkpoint_of_what_is_no_number_is_refused(tiny, tmp_path: Path, monkeypatch) -> None:
    _spoil_after(monkeypatch, 4)
    ran = run(tiny, AlignConfig(**SETTINGS), tmp_path, ROWS)
    assert "contains NaN or Inf" in ran.result.stopped
    assert ran.result.steps == 2
    assert all(torch.isfinite(tensor).all() for tensor in ran.weights.values())
    assert sorted(path.name for path in (tmp_path / "checkpoints").glob("step-*")) == ["step-2"]


def test_weights_of_the_last_step_are_looked_at_without_checkpoints_too(tiny, monkeypatch) -> None:
    _spoil_after(monkeypatch, 8)
    with pytest.raises(DivergenceError, match=r"step 8: '.*' contains NaN or Inf"):
        run(tiny, AlignConfig(**SETTINGS), rows=ROWS)


def test_a_base_model_that_says_no_numbers_is_an_error_at_step_one(tiny) -> None:
    vlm = loaded(tiny)
    with torch.no_grad():
        vlm.model.model.language_model.norm.weight.fill_(math.inf)
    config = AlignConfig(**SETTINGS)
    with pytest.raises(DivergenceError, match=r"training diverged at step 1: .*own outputs are no numbers"):
        align(vlm, data_for(tiny, config.method, ROWS), config)
    assert weights_of(vlm.model).keys() == weights_of(loaded(tiny).model).keys()
