"""Checkpoints are there whole or not at all; the log holds what they do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.align.work_directory import Checkpoints, Work


def _write(checkpoints: Checkpoints, step: int, text: str = "weights") -> None:
    folder = checkpoints.staging / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "model").write_text(text, encoding="utf-8")
    checkpoints.settle(folder, step)


@pytest.mark.parametrize(("keep", "left"), [(1, [30]), (2, [9, 30]), (9, [2, 9, 30])])
def test_the_last_are_kept_by_number_and_not_by_name(tmp_path: Path, keep: int, left: list[int]) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep)
    assert checkpoints.steps() == []
    assert checkpoints.latest() is None
    for step in (2, 9, 30):
        _write(checkpoints, step)
    assert checkpoints.steps() == left
    assert checkpoints.latest() == checkpoints.path(30)
    assert [path.name for path in checkpoints.path(30).iterdir()] == ["model"]


def test_one_that_is_being_written_does_not_count(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 2)
    _write(checkpoints, 4)
    (checkpoints.staging / "checkpoint-8").mkdir(parents=True)
    assert checkpoints.steps() == [4]
    assert checkpoints.clear_incomplete() == ["checkpoint-8"]
    assert checkpoints.clear_incomplete() == []
    assert checkpoints.steps() == [4]


def test_a_step_that_is_taken_again_replaces_its_checkpoint(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 2)
    _write(checkpoints, 4, "old")
    _write(checkpoints, 4, "new")
    assert (checkpoints.path(4) / "model").read_text("utf-8") == "new"


def test_clear_removes_all(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", 2)
    _write(checkpoints, 1)
    checkpoints.clear()
    assert checkpoints.steps() == []
    checkpoints.clear()


PARTS = st.dictionaries(st.sampled_from(["forget", "cross_entropy", "retain"]), st.floats(-1e6, 1e6), min_size=1)


@given(st.lists(PARTS, max_size=6), st.integers(0, 8), st.text('{}"ab:1 ', max_size=9))
def test_the_log_gives_back_what_was_recorded_up_to_the_checkpoint(
    tmp_path_factory, parts: list[dict[str, float]], kept: int, torn: str
) -> None:
    work = Work(tmp_path_factory.mktemp("work"), 1)
    assert work.steps() == []
    for step, one in enumerate(parts, start=1):
        work.record(step, one)
    with work.log.open("a", encoding="utf-8") as file:
        file.write(torn)  # a process died within a line
    assert work.steps() == parts
    work.keep_steps(kept)
    assert work.steps() == parts[:kept]
    lines = [json.loads(line) for line in work.log.read_text("utf-8").splitlines()]
    assert [line["step"] for line in lines] == [*range(1, len(parts[:kept]) + 1)]
    assert [line["loss"] for line in lines] == [sum(one.values()) for one in parts[:kept]]


def test_what_a_process_left_half_written_is_named_and_removed(tmp_path: Path) -> None:
    work = Work(tmp_path, 1)
    assert work.clear_incomplete() == ()
    work.caches.mkdir()
    (work.caches / ".forget-logits-12.bin.x7.tmp").touch()
    (work.caches / "forget-logits-34.bin").touch()
    (work.checkpoints.staging / "checkpoint-8").mkdir(parents=True)
    assert work.clear_incomplete() == ("checkpoint-8", ".forget-logits-12.bin.x7.tmp")
    assert [path.name for path in work.caches.iterdir()] == ["forget-logits-34.bin"]


def test_a_run_with_nothing_to_resume_is_cleared_and_foreign_files_stay(tmp_path: Path) -> None:
    work = Work(tmp_path, 2)
    work.caches.mkdir()
    (work.caches / "reference.safetensors").touch()
    (tmp_path / "mine.txt").touch()
    work.record_watched({1: 0.5})
    work.record(1, {"forget": 1.0})
    assert not work.clear_abandoned()
    assert len(work.steps()) == 1
    work.forget_unsaved()
    assert work.clear_abandoned()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    _write(work.checkpoints, 4)
    work.record(1, {"forget": 1.0})
    work.forget_unsaved()
    assert not work.clear_abandoned()
    assert work.checkpoints.steps() == [4]
    assert len(work.steps()) == 1
