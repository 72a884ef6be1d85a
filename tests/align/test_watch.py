"""An early stop: the weights of the last check that passed are kept, with and without a work directory, and resumed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.align.runs import data_for, loaded, method_config, run, weights_of

from unmirage.align import AlignConfig, align
from unmirage.align.watch import StopError, should_look

FALLS = {0: 0.66, 2: 0.65, 4: 0.64, 6: 0.5, 8: 0.66}
SETTINGS: dict[str, Any] = {
    "learning_rate": 1e-3, "batch_size": 3, "steps": 8, "schedule": "constant", "warmup": 0.0, "save_every": 3,
}  # fmt: skip
ROWS = 7


class Scripted:
    """Gives out measurements by step, and records the weights that it sees."""

    every = 2

    def __init__(self, values):
        self.values, self.seen, self.trains = values, {}, []

    def measure(self, vlm, step):
        self.seen[step] = weights_of(vlm.model)
        self.trains.append(vlm.model.training)
        return self.values[step]

    def verdict(self, start, now):
        return "" if now >= start - 0.05 else f"fell from {start} to {now}"


def config(name="npo", **settings):
    return AlignConfig(method=method_config(name), **{**SETTINGS, **settings})


def watched(tiny, watch, work=None, progress=None, name="npo"):
    vlm = loaded(tiny)
    own = config(name)
    result = align(vlm, data_for(tiny, own.method, ROWS), own, progress, work, watch=watch)
    return result, weights_of(vlm.model)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_checks_fall_on_multiples_and_on_the_last_step():
    assert [step for step in range(1, 8) if should_look(step, 3, 7)] == [3, 6, 7]


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("name", ["npo", "rmu"])
def test_the_weights_before_the_drop_are_kept(tiny, tmp_path, keeps, name):
    watch = Scripted(FALLS)
    result, weights = watched(tiny, watch, tmp_path if keeps else None, name=name)
    short = run(tiny, config(name, steps=4), rows=ROWS)  # the schedule is constant
    assert (result.steps, len(result.parts)) == (4, 4)
    assert result.parts == short.parts
    assert same(weights, short.weights)
    assert same(weights, watch.seen[4])
    assert not same(weights, watch.seen[6])
    assert result.early
    assert result.stopped == "stopped at step 6: fell from 0.66 to 0.5"
    assert result.watched == {0: 0.66, 2: 0.65, 4: 0.64, 6: 0.5}
    assert watch.trains == [False] * 4


def test_checkpoints_are_written_at_passed_checks_only(tiny, tmp_path):
    seen = []

    def progress(stage, done, _total):
        if stage == "align":
            seen.append(sorted(path.name for path in (tmp_path / "checkpoints").glob("step-*")))

    watched(tiny, Scripted(dict.fromkeys(range(9), 0.66)), tmp_path, progress)
    assert {name for names in seen for name in names} == {"step-2", "step-4", "step-6"}  # none of save_every: 3


def test_a_run_that_always_passes_is_as_without_a_watch(tiny, tmp_path):
    result, weights = watched(tiny, Scripted(dict.fromkeys(range(9), 0.66)), tmp_path)
    whole = run(tiny, config(), rows=ROWS)
    assert (result.parts, result.stopped, result.early) == (whole.parts, "", False)
    assert same(weights, whole.weights)
    assert sorted(result.watched) == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("keeps", [True, False])
def test_a_drop_at_the_first_check_leaves_nothing(tiny, tmp_path, keeps):
    with pytest.raises(StopError, match="stopped at step 2: fell from"):
        watched(tiny, Scripted({0: 0.66, 2: 0.1}), tmp_path if keeps else None)


class BrokenError(Exception):
    """What breaks a run off."""


@pytest.mark.parametrize("step", [3, 5, 6])
def test_a_resumed_run_stops_at_the_same_step_with_the_same_weights(tiny, tmp_path, step):
    whole, weights = watched(tiny, Scripted(FALLS), tmp_path / "whole")

    def stop(stage, done, _total):
        if (stage, done) == ("align", step):
            raise BrokenError

    with pytest.raises(BrokenError):
        watched(tiny, Scripted(FALLS), tmp_path / "work", stop)
    again = Scripted(FALLS)
    resumed, theirs = watched(tiny, again, tmp_path / "work")
    assert sorted(again.seen) == ([4, 6] if step == 3 else [6])  # the model before training is not measured again
    assert (resumed.parts, resumed.stopped, resumed.watched) == (whole.parts, whole.stopped, whole.watched)
    assert same(theirs, weights)


def test_a_run_that_was_stopped_stops_again(tiny, tmp_path):
    first, weights = watched(tiny, Scripted(FALLS), tmp_path)
    second, theirs = watched(tiny, Scripted(FALLS), tmp_path)
    assert (first.parts, first.stopped) == (second.parts, second.stopped)
    assert same(weights, theirs)
