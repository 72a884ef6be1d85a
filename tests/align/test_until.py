"""An `until` ends a training after the step where it gives a reason, and sees the weights of that step."""

from typing import Any

import torch
from tests.align.runs import assert_same, data_for, loaded, method_config, run, weights_of

from unmirage.align import AlignConfig, align

SETTINGS: dict[str, Any] = {"learning_rate": 1e-3, "batch_size": 4, "steps": 5, "schedule": "constant", "warmup": 0}
CONFIG = AlignConfig(method=method_config("sft"), **SETTINGS)


def watched(tiny, watch, work=None):
    vlm = loaded(tiny)
    return align(vlm, data_for(tiny, CONFIG.method, 7), CONFIG, None, work, until=lambda step: watch(vlm, step)), vlm


def test_the_training_ends_after_the_step_with_a_reason(tiny):
    seen = []

    def watch(vlm, step):
        seen.append((step, vlm.model.training, weights_of(vlm.model)))
        return "enough" if step == 3 else ""

    result, vlm = watched(tiny, watch)
    assert [step for step, _, _ in seen] == [1, 2, 3]
    assert not any(training for _, training, _ in seen)
    assert (result.steps, result.stopped) == (3, "enough")
    assert all(torch.equal(one, seen[-1][2][name]) for name, one in weights_of(vlm.model).items())
    # With a constant learning rate, these are the weights of a run of three steps.
    short = run(tiny, CONFIG.model_copy(update={"steps": 3}), rows=7)
    assert all(torch.equal(one, short.weights[name]) for name, one in weights_of(vlm.model).items())


def test_a_watch_without_a_reason_changes_nothing(tiny, tmp_path):
    result, vlm = watched(tiny, lambda *_: "", tmp_path / "work")
    plain = run(tiny, CONFIG, rows=7)
    assert (result.steps, result.stopped) == (5, "")
    assert_same(type(plain)(result, weights_of(vlm.model)), plain)
