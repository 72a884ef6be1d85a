"""The quickstart has ten commands at most; they are commands, and its data show what the page says."""

import shlex
import subprocess
import sys

import pytest
import typer
from tests.committed import benchmark

import unmirage as um
from unmirage.cli.main import app

NEWCOMER = benchmark("newcomer")
COMMANDS = NEWCOMER.blocks("bash")
CLI = typer.main.get_command(app)


def test_there_are_ten_commands_at_most_and_they_end_with_a_report():
    assert 8 <= len(COMMANDS) <= NEWCOMER.MOST == 10
    assert COMMANDS[0].startswith("python -m venv env")
    assert COMMANDS[-1] == "unmirage report run"


@pytest.mark.parametrize("command", [one for one in COMMANDS if one.startswith("unmirage")])
def test_a_command_of_the_page_is_one(command):
    words = shlex.split(command)
    words = words[: words.index(">")] if ">" in words else words
    assert (
        CLI.get_command(typer.Context(CLI), words[1]).make_context(words[1], words[2:], resilient_parsing=False).params
    )


def test_the_data_of_the_page_have_the_shortcut_that_it_names(tmp_path):
    (make,) = [one for one in COMMANDS if one.startswith("python - <<'END'")]
    code = make.split("\n", 1)[1].removesuffix("\nEND")
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    audit = um.audit(tmp_path / "train.csv")
    assert (audit.n, audit.refused, audit.informedness.value) == (108, 54, 1.0)
    assert audit.suggested.words == {"jailbreak": "what", "over-prudence": "share"}
    train, test = ((tmp_path / f"{name}.csv").read_text().splitlines()[1:] for name in ("train", "test"))
    assert len(test) == 36
    assert not set(train) & set(test)


def test_the_python_block_compiles():
    (code,) = NEWCOMER.blocks("python")
    compile(code, "quickstart.md", "exec")
