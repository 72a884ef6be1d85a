"""`torchrun ... -m unmirage attack`: two processes make the rows of one; a dead one ends the run, which resumes."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.cli import attack_worker

from unmirage.cli import followers
from unmirage.run.launch import Launch

ROOT = Path(__file__).parents[2]
WORKER = Path(attack_worker.__file__)
TABLES = ("samples", "queries", "responses", "failures", "model_files")
LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
FAMILIES = ("qwen3.5", "qwen3-vl-moe")
WORDS = {"over-prudence": "share", "jailbreak": "what"}
pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without distributed")


def launched(*command):
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "400", "PYTHONPATH": paths}
    return subprocess.run(
        [sys.executable, *LAUNCHER, *map(str, command)], env=environment, timeout=180, capture_output=True, text=True
    )


def worked(folder, **job):
    """Let two processes do a job."""
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    return launched(WORKER, folder / "job.json")


def rows(run):
    """Return all rows of a run's store, in their order."""
    store = sqlite3.connect(run / "store.sqlite")
    found = {name: store.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall() for name in TABLES}
    store.close()
    return found


@pytest.fixture(scope="module")
def attack(tiny):
    """Return the words of the attack, without `--out`."""
    words = [part for kind, word in WORDS.items() for part in ("--word", f"{kind}={word}")]
    return ["attack", str(tiny.model), str(tiny.data / "test.json"), *words, "--max-new-tokens", "6"]


@pytest.fixture
def one(unmirage, attack, tmp_path):
    """Return the rows that one process makes."""
    code, _, err = unmirage(*attack, "--out", tmp_path / "one")
    assert code == 0, err
    return rows(tmp_path / "one")


def test_two_processes_make_the_rows_of_one(tiny, attack, one, tmp_path):
    out, two = tmp_path / "out", tmp_path / "two"
    job = {"families": FAMILIES, "data": str(tiny.data / "test.json"), "words": WORDS, "out": str(out)}
    done = worked(tmp_path, command=[*attack, "--out", str(two)], **job)
    assert done.returncode == 0, done.stderr
    assert len(one["responses"]) > 50
    assert rows(two) == one
    assert (two / "config.yaml").read_bytes() == (tmp_path / "one" / "config.yaml").read_bytes()
    assert done.stdout == ""
    told = [line for line in done.stderr.splitlines() if line.startswith(("ask", "1", "unmirage"))]
    assert len(told) == 2, done.stderr  # nothing is said twice
    assert told[0].startswith("ask model: ")
    assert told[1] == f"{len(one['queries'])} queries answered by model. Next: unmirage evaluate {two}"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for family in FAMILIES:
        attack_worker.attacked(family, job | {"out": str(tmp_path / "alone")})
        found = rows(out / family)
        assert found == rows(tmp_path / "alone" / family)
        assert len({response[2] for response in found["responses"]}) > 20  # texts
    torch.set_num_threads(threads)


def test_a_process_that_dies_ends_the_run_which_resumes(unmirage, attack, one, tmp_path):
    run = tmp_path / "two"
    done = worked(tmp_path, command=[*attack, "--out", str(run)], dies=True)
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
