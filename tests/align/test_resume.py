"""A run that was broken off, whenever and however, ends as if it had not been."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.align.runs import ADAPTERS, assert_same, data_for, killed, loaded, method_config, run, weights_of

from unmirage.align import AlignConfig, align
from unmirage.align import trainer as trainer_module
from unmirage.align.work_directory import Checkpoints, Work

# Three rows a step out of seven: a pass ends within a step, and every checkpoint lies within a pass.
SETTINGS: dict[str, Any] = {"learning_rate": 1e-3, "batch_size": 3, "steps": 8, "save_every": 3, "warmup": 0.3}
ROWS = 7
METHODS = ("npo", "rmu", "task-vector", "dpo")
ways = pytest.mark.parametrize(("name", "adapter"), [(name, adapter) for name in METHODS for adapter in ADAPTERS])


class BrokenError(Exception):
    """What breaks a run off."""


def _config(name: str, adapter: str, **settings: Any) -> AlignConfig:
    return AlignConfig(method=method_config(name), lora=ADAPTERS[adapter], **{**SETTINGS, **settings})


def _stop_at(step: int, stop: Any, stage: str = "align"):
    def progress(now: str, done: int, _total: int) -> None:
        if (now, done) == (stage, step):
            stop()

    return progress


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raise() -> None:
    raise BrokenError


def _killed(tiny, config: AlignConfig, work: Path, step: int, stage: str = "align") -> bool:
    return killed(lambda: run(tiny, config, work, ROWS, _stop_at(step, _kill, stage)))


def _log(work: Path) -> list[dict]:
    return [json.loads(line) for line in (work / "log.jsonl").read_text("utf-8").splitlines()]


@ways
def test_broken_by_an_error_and_continued_is_bitwise_the_same(tiny, tmp_path: Path, name: str, adapter: str) -> None:
    config = _config(name, adapter)
    whole = run(tiny, config, tmp_path / "whole", ROWS)
    with pytest.raises(BrokenError):
        run(tiny, config, tmp_path / "work", ROWS, _stop_at(5, _raise))
    continued: list[int] = []
    again = run(tiny, config, tmp_path / "work", ROWS, lambda stage, done, _: continued.append(done))
    assert continued == [4, 5, 6, 7, 8]  # from the checkpoint of step 3, and nothing looked at again
    assert_same(again, whole)
    assert _log(tmp_path / "work") == _log(tmp_path / "whole")
    assert again.result.state.keys() == whole.result.state.keys()
    assert all(torch.equal(tensor, whole.result.state[key]) for key, tensor in again.result.state.items())


@pytest.mark.parametrize(("name", "adapter"), [("npo", "full"), ("dpo", "lora")])
def test_killed_at_random_steps_and_continued_is_bitwise_the_same(
    tiny, tmp_path: Path, name: str, adapter: str
) -> None:
    config = _config(name, adapter, save_every=2)
    whole = run(tiny, config, tmp_path / "whole", ROWS)
    draw = random.Random(f"{name}-{adapter}")
    for step in sorted(draw.sample(range(1, 8), 3)):
        assert _killed(tiny, config, tmp_path / "work", step)
        assert [line["step"] for line in _log(tmp_path / "work")] == [*range(1, step + 1)]
    again = run(tiny, config, tmp_path / "work", ROWS)
    assert_same(again, whole)
    assert _log(tmp_path / "work") == _log(tmp_path / "whole")


def test_dropout_goes_on_where_it_was(tiny, tmp_path: Path) -> None:
    lora = ADAPTERS["lora"].model_copy(update={"dropout": 0.3})
    config = _config("npo", "lora").model_copy(update={"lora": lora})
    whole = run(tiny, config, tmp_path / "whole", ROWS)
    with pytest.raises(BrokenError):
        run(tiny, config, tmp_path / "work", ROWS, _stop_at(5, _raise))
    assert_same(run(tiny, config, tmp_path / "work", ROWS), whole)


@pytest.mark.parametrize("order", ["shuffled", "by-length"])
def test_micro_batches_and_orders_go_on_where_they_were(tiny, tmp_path: Path, order: str) -> None:
    config = _config("npo", "full", order=order, micro_batch_size=1)
    whole = run(tiny, config, tmp_path / "whole", ROWS)
    with pytest.raises(BrokenError):
        run(tiny, config, tmp_path / "work", ROWS, _stop_at(4, _raise))
    assert_same(run(tiny, config, tmp_path / "work", ROWS), whole)


def test_checkpoints_do_not_change_a_run(tiny, tmp_path: Path) -> None:
    config = _config("rmu", "full")
    assert_same(run(tiny, config, rows=ROWS), run(tiny, config, tmp_path / "work", ROWS))


def test_a_run_that_is_over_is_not_taken_again(tiny, tmp_path: Path) -> None:
    """Its result is there all the same: weights, losses, and the control vector without which it is worth little."""
    config = _config("rmu", "full")
    whole = run(tiny, config, tmp_path, ROWS)
    seen: list[object] = []
    again = run(tiny, config, tmp_path, ROWS, lambda *what: seen.append(what))
    assert seen == []
    assert_same(again, whole)
    assert torch.equal(again.result.state["control"], whole.result.state["control"])


def test_killed_while_looking_ahead_starts_over(tiny, tmp_path: Path) -> None:
    config = _config("npo", "full")
    assert _killed(tiny, config, tmp_path, step=3, stage="caching reference outputs")
    torn = {path.name for path in (tmp_path / "caches").iterdir()}
    assert torn
    assert all(name.endswith(".tmp") for name in torn)
    again = run(tiny, config, tmp_path, ROWS)
    assert set(again.result.ignored) == torn
    assert not [path for path in (tmp_path / "caches").iterdir() if path.suffix == ".tmp"]
    assert_same(again, run(tiny, config, rows=ROWS))


def test_killed_while_a_checkpoint_is_written_goes_on_from_the_one_before(tiny, tmp_path: Path, monkeypatch) -> None:
    config = _config("npo", "full", save_every=2)
    whole = run(tiny, config, rows=ROWS)
    save = trainer_module.save_file

    def dies(weights, path: Path) -> None:
        save(weights, path)
        if "checkpoint-4" in str(path):
            _kill()

    with monkeypatch.context() as patch:
        patch.setattr(trainer_module, "save_file", dies)
        assert _killed(tiny, config, tmp_path, step=99)
    checkpoints = Checkpoints(tmp_path / "checkpoints", 2)
    assert checkpoints.steps() == [2]
    assert [path.name for path in checkpoints.staging.iterdir()] == ["checkpoint-4"]
    assert [line["step"] for line in _log(tmp_path)] == [1, 2, 3, 4]
    again = run(tiny, config, tmp_path, ROWS)
    assert again.result.ignored == ("checkpoint-4",)
    assert not checkpoints.staging.exists() or list(checkpoints.staging.iterdir()) == []
    assert_same(again, whole)


def test_a_run_that_ended_well_leaves_nothing_to_ignore(tiny, tmp_path: Path) -> None:
    config = _config("npo", "full")
    assert run(tiny, config, tmp_path, ROWS).result.ignored == ()
    assert run(tiny, config, tmp_path, ROWS).result.ignored == ()


@pytest.mark.parametrize("keep", [1, 2])
def test_the_last_checkpoints_are_kept(tiny, tmp_path: Path, keep: int) -> None:
    run(tiny, _config("sft", "full", keep_last=keep, save_every=2), tmp_path, ROWS)
    assert Checkpoints(tmp_path / "checkpoints", keep).steps() == [6, 8][-keep:]


def test_a_checkpoint_holds_what_trains_and_no_more(tiny, tmp_path: Path) -> None:
    sizes = {}
    for adapter in ADAPTERS:
        run(tiny, _config("sft", adapter, steps=1, save_every=1), tmp_path / adapter, ROWS)
        sizes[adapter] = (tmp_path / adapter / "checkpoints" / "step-1" / "model.safetensors").stat().st_size
    base = sum(tensor.numel() * 4 for tensor in weights_of(loaded(tiny).model).values())
    assert sizes["lora"] < 0.2 * base
    assert sizes["full"] < base


def test_without_a_work_directory_nothing_is_left(tiny, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run(tiny, _config("npo", "full", steps=1), rows=ROWS)
    assert list(tmp_path.iterdir()) == []


def test_other_data_look_ahead_anew(tiny, tmp_path: Path) -> None:
    """What was kept belongs to the model and the data that it was made of."""
    config = _config("npo", "full", steps=1)
    looked: list[int] = []

    def progress(stage: str, done: int, _total: int) -> None:
        if stage == "caching reference outputs":
            looked.append(done)

    for rows, anew in ((5, True), (5, False), (6, True)):
        looked.clear()
        vlm = loaded(tiny)
        data = data_for(tiny, config.method, rows)
        work = Work(tmp_path, 1)
        work.checkpoints.clear()
        align(vlm, data, config, progress, tmp_path)
        assert bool(looked) is anew
