"""Help of all commands: complete, readable at 80 columns, with examples that the parser takes; and fast."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from unmirage.cli import commands, console
from unmirage.cli.examples import EXAMPLES
from unmirage.cli.layout import ALIASES, GROUP_OF, SHORT, main_name
from unmirage.cli.main import app

ROOT = typer.main.get_command(app)
PATHS = [(name,) for name in commands.COMMANDS if name not in ("study", "recipes")]
PATHS += [("study", name) for name in commands.STUDIES] + [("recipes", "show"), ("recipes", "copy")]
DOCS = Path(__file__).parents[2] / "docs"


def command(*path):
    found = ROOT
    for name in path:
        found = found.get_command(typer.Context(found), name)
    return found


def options(*path):
    return [one for one in command(*path).params if one.param_type_name == "option"]


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_the_help_is_complete_and_fits_80_columns(unmirage, path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = unmirage(*path, "-h")
    assert (code, err) == (0, "")
    assert out == unmirage(*path, "--help")[1]
    examples = EXAMPLES[" ".join(path)]
    assert not [line for line in out.splitlines() if len(line) > 80 and line.strip() not in examples]
    assert "…" not in out
    assert not re.search("<[a-z]+>", out)
    assert "{" not in out.partition("\n")[0]
    for one in options(*path):
        assert main_name(one.opts) in out
        assert (one.help or "").endswith("."), one.name
        assert re.fullmatch(r"[A-Z]+(=[A-Z]+)?", one.metavar or "N"), one.metavar
    assert out.rstrip().endswith(examples[-1])


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_option_is_in_a_group_and_no_short_name_means_two_things(path):
    names = [main_name(one.opts) for one in options(*path)]
    assert not [name for name in names if name not in GROUP_OF]
    given = [name for one in options(*path) for name in (*one.opts, *one.secondary_opts)]
    assert len(given) == len(set(given))
    others = [other for name in names for other in ALIASES.get(name, ())]
    assert not set(others) & set(given)
    assert {main_name(one.opts): one.opts[0] for one in options(*path) if one.opts[0][1] != "-"} == {
        name: SHORT[name] for name in names if name in SHORT
    }


def test_every_group_names_options_that_exist():
    every = {main_name(one.opts) for path in PATHS for one in options(*path)}
    assert GROUP_OF.keys() - every == {"--help", "--version", "--install-completion", "--show-completion"}
    assert set(SHORT) | set(ALIASES) <= every


def test_the_lines_of_the_list_are_those_of_the_commands():
    for path in (*PATHS, ("study",), ("recipes",)):
        if path in (("recipes", "show"), ("recipes", "copy")):
            continue
        lines = commands.STUDIES if len(path) > 1 else commands.COMMANDS
        text = " ".join((command(*path).help or "").split())
        assert text.startswith(lines[path[-1]]), path
    assert EXAMPLES.keys() == {" ".join(path) for path in PATHS}


@pytest.mark.parametrize("example", [line for lines in EXAMPLES.values() for line in lines])
def test_examples_are_read_by_the_parser(example):
    name, *words = shlex.split(example)
    assert name == "unmirage"
    found = next(path for path in PATHS if tuple(words[: len(path)]) == path)
    command(*found).make_context(" ".join(found), words[len(found) :])


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        (("-n", "7"), "limit", 7),
        (("--batch_size", "3"), "batch_size", 3),
        (("--output-dir", "x"), "out", Path("x")),
        (("--max-tokens", "5"), "max_new_tokens", 5),
        (("--max-connections", "2"), "concurrency", 2),
    ],
)
def test_names_of_other_tools_are_options_too(given, name, value):
    parent = typer.Context(ROOT, **ROOT.context_settings)
    context = command("attack").make_context("attack", ["MODEL", "data.json", *given], parent=parent)
    assert context.params[name] == value


def test_exit_codes_are_listed_once_and_as_they_are(unmirage):
    codes = {getattr(console, name) for name in dir(console) if name.startswith("EXIT_") and name != "EXIT_CODES"}
    assert set(console.EXIT_CODES) == codes | {0}
    _, out, _ = unmirage("--help")
    page = (DOCS / "commands.md").read_text("utf-8")
    for code, meaning in console.EXIT_CODES.items():
        assert f"{code:<3} {meaning}" in out
        assert f"| {code} | {meaning} |" in page
    for name, short in SHORT.items():
        assert f"`{short}`, `{name}`" in page
    for name, others in ALIASES.items():
        for other in others:
            assert f"`{other}` | `{name}`" in page


def test_the_list_of_commands_needs_nothing_heavy():
    code = (
        "import sys; sys.argv = ['unmirage', '--help']\n"
        "from unmirage.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit: pass\n"
        "print([name for name in ('numpy', 'scipy', 'torch', 'openai', 'PIL', 'transformers')"
        " if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


def test_a_wrong_option_names_the_right_one(unmirage):
    code, out, err = unmirage("attack", "MODEL", "data.json", "--limt", "3")
    assert (code, out) == (2, "")
    assert "--limit" in err.splitlines()[-1]
