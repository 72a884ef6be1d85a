import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from unmirage.errors import UserError
from unmirage.records import Failure, Kind, Query
from unmirage.run.directory import existing_run, open_run

CONFIG = {"seed": 0, "data": "naïve.json", "attack": {"kinds": ["jailbreak"], "shots": 3}, "limit": None}

OWNER = """
import os, signal, sys, time
from pathlib import Path
from unmirage.run.directory import open_run

with open_run(Path(sys.argv[1]), {"seed": 0}):
    print(os.getpid(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "run"


@pytest.fixture
def owner(path):
    """Another process that holds the run at `path`."""
    command = [sys.executable, "-c", OWNER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().strip() == str(process.pid)
        yield process
        process.kill()


def test_a_new_run_keeps_its_configuration(path):
    with open_run(path, CONFIG) as run:
        assert run.path == path
        assert run.config() == CONFIG
    assert list(yaml.safe_load((path / "config.yaml").read_text("utf-8"))) == list(CONFIG)
    assert "naïve.json" in (path / "config.yaml").read_text("utf-8")
    assert existing_run(path).config() == CONFIG


def test_files_have_their_places(path):
    run = existing_run_at(path)
    places = [run.config_file, run.results_file, run.report_file, run.data, run.model("npo")]
    assert [place.relative_to(path).as_posix() for place in places] == [
        "config.yaml",
        "results.json",
        "report.html",
        "data",
        "models/npo",
    ]
    with run.store() as store:
        assert store.queries() == []
    assert (path / "store.sqlite").is_file()


def existing_run_at(path):
    with open_run(path, CONFIG):
        pass
    return existing_run(path)


def test_the_same_configuration_continues_a_run(path):
    with open_run(path, CONFIG):
        (path / "kept.txt").write_text("kept")
    same = {**CONFIG, "attack": {"shots": 3, "kinds": ("jailbreak",)}}
    with open_run(path, same) as run:
        assert run.config() == CONFIG
    assert (path / "kept.txt").read_text() == "kept"


def test_a_run_that_left_nothing_does_not_block_the_corrected_command(path):
    existing_run_at(path)
    with open_run(path, {"seed": 1}) as run:
        assert run.config() == {"seed": 1}
    (path / "results.json").touch()
    with pytest.raises(UserError, match="seed: was 1, now 2"), open_run(path, {"seed": 2}):
        pass
    asked = []
    with open_run(path, {"seed": 2}, abandoned=lambda one: asked.append(one) or True) as run:
        assert run.config() == {"seed": 2}
    assert asked == [path]


def test_queries_without_a_response_do_not_block_the_corrected_command_but_a_response_or_a_failure_does(path):
    asked = Query(id="q", sample_id="s", kind=Kind.PLAIN, shot=0, text="What is it?", image=None, unsafe=True)
    with open_run(path, {"seed": 1}) as run, run.store() as store:
        store.add_queries([asked])
    with open_run(path, {"seed": 2}) as run, run.store() as store:
        assert store.queries() == []
        store.add_queries([asked])
        store.add_failures([Failure(query_id="q", model="m", reason="timeout")])
    with pytest.raises(UserError, match="seed: was 2, now 3"), open_run(path, {"seed": 3}):
        pass


def test_a_changed_configuration_is_refused_field_by_field(path):
    existing_run_at(path)
    (path / "results.json").touch()
    changed = {"seed": 1, "data": "naïve.json", "attack": {"kinds": ["jailbreak"], "shots": 5}, "new": True}
    with pytest.raises(UserError) as error, open_run(path, changed):
        pass
    assert str(error.value) == (
        f"{path}: made with other settings (attack.shots: was 3, now 5; new: was absent, now True; "
        "seed: was 0, now 1); name a new run with --out"
    )
    assert existing_run(path).config() == CONFIG


def test_a_second_process_is_refused_with_the_owners_pid(path, owner):
    with pytest.raises(UserError) as error, open_run(path, {"seed": 0}):
        pass
    assert str(error.value) == (f"{path}: in use by another process (PID {owner.pid}); wait for it or name another")


def test_a_dead_owners_lock_is_free(path, owner):
    owner.kill()
    owner.wait()
    with open_run(path, {"seed": 0}) as run:
        assert run.config() == {"seed": 0}
        assert (path / ".lock").read_text() == str(os.getpid())


def test_the_lock_is_held_within_one_process_too_and_freed_by_an_error(path):
    with open_run(path, CONFIG), pytest.raises(UserError, match=f"PID {os.getpid()}"):
        existing_run_at(path)
    with pytest.raises(ZeroDivisionError), open_run(path, CONFIG):
        1 / 0  # noqa: B018 - an error of ours while the lock is held
    assert existing_run_at(path).config() == CONFIG


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="is not a run directory; name a new one with --out"):
        existing_run_at(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_run_directory(tmp_path):
    (tmp_path / "run").write_text("mine")
    with (
        pytest.raises(UserError, match="exists and is not a run directory"),
        open_run(tmp_path / "run", CONFIG),
    ):
        pass


def test_an_empty_folder_and_one_killed_before_its_configuration_may_be_used(tmp_path):
    (tmp_path / ".lock").write_text("1")
    (tmp_path / ".config.yaml.x.tmp").write_text("se")
    with open_run(tmp_path, CONFIG) as run:
        assert run.config() == CONFIG


def test_what_is_no_run_cannot_be_evaluated(tmp_path):
    for path, why in ((tmp_path, "no config.yaml"), (tmp_path / "none", "no such folder")):
        with pytest.raises(UserError, match=rf"not a run directory \({why}\)") as error:
            existing_run(path)
        assert str(error.value).startswith(f"{path}: ")


def test_json_is_readable_whole_and_without_nan(path):
    run = existing_run_at(path)
    run.write_json(run.results_file, {"wörd": [1, None]})
    assert run.results_file.read_text("utf-8") == '{\n  "wörd": [\n    1,\n    null\n  ]\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        run.write_json(run.results_file, {"value": float("nan")})
    assert json.loads(run.results_file.read_text("utf-8")) == {"wörd": [1, None]}


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OSError, match="Not a directory") as error,
        open_run(tmp_path / "file" / "run", CONFIG),
    ):
        pass
    assert Path(error.value.filename) == tmp_path / "file" / "run"
