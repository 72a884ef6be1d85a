import importlib
import logging
import os
import signal
import subprocess
import sys
from importlib import metadata

import pytest
import typer

from unmirage.cli.main import app
from unmirage.errors import UserError

START = "from unmirage.cli.main import run; run()"
INTERRUPTED = """
import os, signal
import unmirage.data

def load(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()

unmirage.data.open_samples = load
from unmirage.cli.main import run
run()
"""


def start(*args, code=START, module=None):
    """Run the command line as a process of its own: by `code`, or as `python -m module`."""
    how = ["-c", code] if module is None else ["-m", module]
    environment = {**os.environ, "COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}
    return subprocess.run([sys.executable, *how, *args], capture_output=True, text=True, check=False, env=environment)


@pytest.fixture
def failing(monkeypatch):
    """Return a function that lets `unmirage audit` fail with an error."""
    importlib.import_module("unmirage.workflows.audit")  # it keeps the function that it finds at its import

    def fail_with(error):
        def load(*args, **kwargs):
            raise error

        monkeypatch.setattr("unmirage.data.open_samples", load)

    return fail_with


@pytest.mark.slow
def test_a_missing_file_ends_with_2_and_one_line_that_names_it():
    ended = start("audit", "no/such/data.json")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("unmirage: ")
    assert "no/such/data.json" in ended.stderr


def test_an_unknown_command_ends_with_2_and_the_nearest_one():
    ended = start("audti")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "No such command 'audti'" in ended.stderr
    assert "'audit'" in ended.stderr


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_says_how_to_go_on():
    ended = start("audit", "data.json", code=INTERRUPTED)
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr == ("unmirage: interrupted; finished work is kept. Run the same command again to resume\n")


def test_a_reader_that_has_gone_ends_it_quietly():
    gone = "import os; r, w = os.pipe(); os.dup2(w, 1); os.close(r); os.close(w)\n"
    ended = start("--version", code=gone + START)
    assert (ended.returncode, ended.stderr) == (-signal.SIGPIPE, "")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("audit",), "missing argument"),
        (("audit", "x.json", "--no-such"), "no such option"),
        (("attack", "m", "d", "--out", "r", "--shots", "0"), "invalid value for '--shots'"),
        (("attack", "m", "d"), "--out: missing; name the run directory"),
    ],
)
def test_usage_errors_end_with_2_and_say_what_is_wrong(unmirage, args, message, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = unmirage(*args)
    assert (code, out) == (2, "")
    assert message in err.casefold()


def test_the_version_is_the_packages(unmirage):
    assert unmirage("--version") == (0, metadata.version("unmirage") + "\n", "")


def test_the_module_shows_the_same_help_as_the_script(unmirage, monkeypatch):
    for name, value in {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    code, out, err = unmirage("--help")
    ended = start("--help", module="unmirage")
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, out, err) == (0, out, "")
    assert "Usage: unmirage [OPTIONS] COMMAND" in ended.stdout


def test_the_module_prints_the_version_without_importing_torch():
    code = (
        "import atexit, runpy, sys\n"
        "atexit.register(lambda: print('torch' in sys.modules))\n"
        "runpy.run_module('unmirage', run_name='__main__', alter_sys=True)"
    )
    ended = start("--version", code=code)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{metadata.version('unmirage')}\nFalse\n", "")


@pytest.mark.slow
def test_the_module_ends_with_the_exit_codes_of_the_script():
    ended = start("audit", "no/such/data.json", module="unmirage")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("unmirage: no/such/data.json")


def test_the_help_names_every_command(unmirage):
    code, out, _ = unmirage("--help")
    assert code == 0
    for name in ("demo", "audit", "attack", "align", "evaluate", "report", "doctor"):
        assert name in out


def commands(group, *path):
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield from commands(command, *path, name) if hasattr(command, "commands") else [((*path, name), command)]


def test_no_help_names_a_default_twice():
    found = list(commands(typer.main.get_command(app)))
    assert len(found) >= 18
    for path, command in found:
        for option in command.params:
            _, text = option.get_help_record(typer.Context(command)) or ("", "")
            assert text.lower().count("default") <= 1, (path, option.name, text)


def test_an_error_of_ours_ends_with_1_and_a_traceback(unmirage, failing):
    failing(RuntimeError("broken spring"))
    code, out, err = unmirage("audit", "data.json")
    assert (code, out) == (1, "")
    assert "RuntimeError: broken spring" in err
    assert err.splitlines()[-1] == "unmirage: internal error; please report the traceback above"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("data.json: [red]no[/red] records"), "unmirage: data.json: [red]no[/red] records"),
        (OSError(28, "No space left on device", "out/x"), "unmirage: out/x: No space left on device"),
        (PermissionError(13, "Permission denied", "x"), "unmirage: x: Permission denied"),
        (OSError("strange"), "unmirage: file system: strange"),
    ],
)
def test_what_a_user_can_mend_ends_with_2_and_one_line(unmirage, failing, error, line):
    failing(error)
    assert unmirage("audit", "data.json") == (2, "", line + "\n")


def test_a_folder_that_is_no_run_cannot_be_evaluated(unmirage, tmp_path):
    code, out, err = unmirage("evaluate", tmp_path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{tmp_path}: not a run directory" in err


def test_an_unknown_judge_is_refused_before_anything_is_written(unmirage, tmp_path):
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    code, _, err = unmirage("evaluate", tmp_path, "--judge", "phrase")
    assert code == 2
    assert "valid: endpoint, exact, guard, local, official, phrases, strongreject. Did you mean 'phrases'?" in err
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_the_messages_of_the_library_are_shown_for_as_long_as_a_command_runs(unmirage):
    logger = logging.getLogger("unmirage")
    before = logger.handlers.copy(), logger.level, logger.propagate
    assert unmirage("audit", "none.json")[0] == 2
    assert (logger.handlers, logger.level, logger.propagate) == before
