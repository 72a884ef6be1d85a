"""Checks during training: the weights of the best one are kept, with and without a work directory, and resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.align.runs import data_for, loaded, method_config, run, weights_of

from unmirage.align import AlignConfig, AlignResult, align
from unmirage.align.guards import DivergenceError
from unmirage.errors import UserError

FALLS_AND_RISES = {0: 1.0, 2: 3.0, 4: 2.0, 6: 2.5, 8: 2.0, 10: 2.4}  # before training does not count
SETTINGS: dict[str, Any] = {
    "learning_rate": 1e-3, "batch_size": 3, "steps": 10, "schedule": "constant", "warmup": 0.0, "save_every": 3,
    "keep_last": 1,
}  # fmt: skip
ROWS = 7


class Scripted:
    """Gives out measurements by step, and records the weights that it sees."""

    every, metric = 2, "loss"

    def __init__(self, values: Mapping[int, float], patience: int | None = None) -> None:
        self.values, self.patience = values, patience
        self.seen: dict[int, dict[str, torch.Tensor]] = {}

    def measure(self, vlm: Any, step: int) -> dict[str, float]:
        assert not vlm.model.training
        self.seen[step] = weights_of(vlm.model)
        return {"loss": self.values[step], "asr": 0.5}


def config(**settings: Any) -> AlignConfig:
    return AlignConfig(method=method_config("npo"), **{**SETTINGS, **settings})


def checked(tiny, checks: Scripted, work: Path | None = None, progress: Any = None, **settings: Any) -> Any:
    vlm, own = loaded(tiny), config(**settings)
    result = align(vlm, data_for(tiny, own.method, ROWS), own, progress, work, checks=checks)
    return result, weights_of(vlm.model)


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def assert_same_end(one: tuple[AlignResult, Any], other: tuple[AlignResult, Any]) -> None:
    (ours, weights), (theirs, others) = one, other
    assert (ours.parts, ours.stopped, ours.early) == (theirs.parts, theirs.stopped, theirs.early)
    assert ours.checks == theirs.checks
    assert same(weights, others)


@pytest.fixture(scope="module")
def whole(tiny) -> tuple[AlignResult, dict[str, torch.Tensor]]:
    """Return a training of all steps that kept the weights of step 4."""
    return checked(tiny, Scripted(FALLS_AND_RISES))


@pytest.mark.parametrize("keeps", [True, False])
def test_the_weights_of_the_best_check_are_kept(tiny, tmp_path: Path, keeps: bool, whole) -> None:
    checks = Scripted(FALLS_AND_RISES)
    result, weights = checked(tiny, checks, tmp_path if keeps else None)
    assert (result.steps, len(result.parts), result.stopped, result.early) == (4, 4, "", False)
    assert {step: one["loss"] for step, one in result.checks.items()} == FALLS_AND_RISES
    assert same(weights, checks.seen[4])
    assert not same(weights, checks.seen[8])
    assert_same_end((result, weights), whole)
    short = run(tiny, config(steps=4), rows=ROWS)  # the schedule is constant
    assert same(weights, short.weights)


@pytest.mark.parametrize("keeps", [True, False])
def test_patience_ends_the_training(tiny, tmp_path: Path, keeps: bool, whole) -> None:
    checks = Scripted(FALLS_AND_RISES, patience=2)
    result, weights = checked(tiny, checks, tmp_path if keeps else None)
    assert sorted(checks.seen) == [0, 2, 4, 6, 8]
    assert (result.steps, result.early) == (4, True)
    assert result.stopped == "stopped at step 8: loss was not below 2, that of step 4, in 2 checks"
    assert same(weights, whole[1])


class BrokenError(Exception):
    """What breaks a run off."""


@pytest.mark.parametrize(("step", "patience"), [(3, None), (5, None), (9, None), (5, 2), (7, 2)])
def test_a_resumed_run_ends_with_the_same_weights(tiny, tmp_path: Path, step: int, patience: int | None) -> None:
    def stop(stage: str, done: int, _total: int) -> None:
        if (stage, done) == ("align", step):
            raise BrokenError

    expected = checked(tiny, Scripted(FALLS_AND_RISES, patience))
    with pytest.raises(BrokenError):
        checked(tiny, Scripted(FALLS_AND_RISES, patience), tmp_path, stop)
    again = Scripted(FALLS_AND_RISES, patience)
    assert_same_end(checked(tiny, again, tmp_path), expected)
    assert 0 not in again.seen
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()][-1] == (
        8 if patience else 10
    )


def test_a_run_that_is_over_is_not_trained_again(tiny, tmp_path: Path) -> None:
    for patience in (2, None):
        work = tmp_path / str(patience)
        expected = checked(tiny, Scripted(FALLS_AND_RISES, patience), work)
        again = Scripted({}, patience)
        assert_same_end(checked(tiny, again, work), expected)
        assert again.seen == {}


def test_a_divergence_leaves_the_best_check(tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(self: Any, step: int, parts: Any) -> None:
        if step == at:
            raise DivergenceError(step, "boom")

    monkeypatch.setattr("unmirage.align.guards.Guards.look", diverge)
    at = 7
    for work in (tmp_path / "work", None):
        checks = Scripted(FALLS_AND_RISES)
        result, weights = checked(tiny, checks, work)
        assert (result.steps, result.early) == (4, False)
        assert "training diverged at step 7" in result.stopped
        assert same(weights, checks.seen[4])
    at = 1
    with pytest.raises(DivergenceError):
        checked(tiny, Scripted(FALLS_AND_RISES))


def test_a_measurement_that_is_no_number_is_never_the_best(tiny) -> None:
    result, _ = checked(tiny, Scripted({0: 1.0, 2: float("nan"), 4: 5.0}), steps=4)
    assert result.steps == 4


def test_several_processes_are_refused(tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    class Two:
        num_processes = 2

    monkeypatch.setattr("unmirage.align.run.processes", lambda: Two())
    from unmirage.align.run import _check_alone

    with pytest.raises(UserError, match="eval: works with one process only"):
        _check_alone(type("Trainer", (), {"sharded": False})(), "eval")
