"""`torchrun ... -m unmirage attack`: two processes make the rows of one; a dead one ends the run, which resumes."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from unmirage.cli import followers
from unmirage.run.launch import Launch

DYING = Path(__file__).parent / "dying_worker.py"
TABLES = ("samples", "queries", "responses", "failures", "model_files")
LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


def launched(*command):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "400"}
    return subprocess.run(
        [sys.executable, *LAUNCHER, *map(str, command)], env=environment, timeout=120, capture_output=True, text=True
    )


def rows(run):
    """Return all rows of a run's store, in their order."""
    store = sqlite3.connect(run / "store.sqlite")
    found = {name: store.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall() for name in TABLES}
    store.close()
    return found


@pytest.fixture(scope="module")
def attack(tiny):
    """Return the words of the attack, without `--out`."""
    words = ("--word", "over-prudence=share", "--word", "jailbreak=what", "--max-new-tokens", "6")
    return ("attack", tiny.model, tiny.data / "test.json", *words)


@pytest.fixture
def one(unmirage, attack, tmp_path):
    """Return the rows that one process makes."""
    code, _, err = unmirage(*attack, "--out", tmp_path / "one")
    assert code == 0, err
    return rows(tmp_path / "one")


def test_two_processes_make_the_rows_of_one(attack, one, tmp_path):
    done = launched("-m", "unmirage", *attack, "--out", tmp_path / "two")
    assert done.returncode == 0, done.stderr
    assert len(one["responses"]) > 50
    assert rows(tmp_path / "two") == one
    assert (tmp_path / "two" / "config.yaml").read_bytes() == (tmp_path / "one" / "config.yaml").read_bytes()
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert [line for line in lines if "queries answered" in line] == [
        f"{len(one['queries'])} queries answered by model. Next: unmirage evaluate {tmp_path / 'two'}"
    ]
    assert len(lines) == 2  # with the time of asking: nothing is said twice


def test_a_process_that_dies_ends_the_run_which_resumes(unmirage, attack, one, tmp_path):
    run = tmp_path / "two"
    done = launched(DYING, *attack, "--out", run)
    assert done.returncode != 0
    told = [line for line in done.stderr.splitlines() if line.startswith("unmirage: ")]
    assert len(told) == 1, done.stderr
    assert "finished work is kept. Run the same command again to resume" in told[0]
    kept = rows(run)["responses"]
    assert 0 < len(kept) < len(one["responses"])
    code, _, err = unmirage(*attack, "--out", run)
    assert code == 0, err
    again = rows(run)
    assert again["responses"][: len(kept)] == kept
    assert {name: sorted(found, key=str) for name, found in again.items()} == {
        name: sorted(found, key=str) for name, found in one.items()
    }


def test_mistakes_are_told_once(attack, tmp_path):
    model, data = attack[1:3]
    done = launched("-m", "unmirage", "align", model, "--retain", data, "--out", tmp_path / "new", "--method", "nop")
    assert done.returncode == 1
    assert done.stderr.count("unknown method 'nop'") == 1, done.stderr
    assert "process 1:" not in done.stderr
    assert sorted(tmp_path.iterdir()) == []


def test_only_the_main_process_speaks(monkeypatch, capsys, unmirage):
    """A mistake that only this process meets is told after the main process had time to tell it."""
    monkeypatch.setattr(followers, "GRACE", 0.0)
    for rank in (0, 1):
        monkeypatch.setattr(followers, "launched", lambda rank=rank: Launch(rank, rank, 2, 2))
        code, out, err = unmirage("align", "no-model", "--out", "new", "--stops", "3")
        assert (code, out) == (2, "")
        lines = err.splitlines()
        assert any("No such option: --stops" in line for line in lines)
        assert all(line.startswith("process 1: ") for line in lines) == bool(rank)
    assert unmirage("--version")[:2] == (0, "")  # the main process has printed it
