"""What works where only `pip install unmirage` was run: without torch, transformers and their kin."""

import json
import os
import subprocess
import sys

import pytest

from unmirage.errors import MODEL_PACKAGES
from unmirage.records import Kind, Query, Response
from unmirage.run import open_run

# An import of these packages fails as it does where they are not installed; what was imported is told at the end.
BLOCKED = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {MODEL_PACKAGES!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name.partition(".")[0])

sys.meta_path.insert(0, Blocked())
from unmirage.cli.main import run
run()
"""
PLAIN = "from unmirage.cli.main import run; run()"


def command(code, *args):
    done = subprocess.run([sys.executable, "-c", code, *map(str, args)], capture_output=True, text=True, env=os.environ)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def answered(tmp_path):
    """Return a run in which a model has answered."""
    queries = [
        Query(id=f"{n}", sample_id=f"s{n}", kind=Kind.PLAIN, shot=0, text="?", image=None, unsafe=n % 2 == 0)
        for n in range(20)
    ]
    with open_run(tmp_path / "run", {"seed": 0, "attack": {"shots": 1}}) as run, run.store() as store:
        store.add_queries(queries)
        store.add_responses(
            Response(query_id=one.id, model="m", text="I cannot share that.", tokens=1) for one in queries
        )
    return tmp_path / "run"


def test_an_audit_is_the_same(tiny):
    found = [command(code, "audit", tiny.data / "safety.json", "--json") for code in (PLAIN, BLOCKED)]
    assert [code for code, _, _ in found] == [0, 0], found
    assert found[0][1] == found[1][1]


def test_runs_are_evaluated_and_reported(answered):
    code, out, err = command(BLOCKED, "evaluate", answered, "--json")
    assert code == 0, err
    document = json.loads(out)
    assert document["models"]["m"]["asr"]["before"]["k"] == 0
    assert document["machine"]["accelerator"] == "not used"
    assert command(BLOCKED, "report", answered)[0] == 0
    code, _, err = command(
        BLOCKED, "evaluate", answered, "--judge", "endpoint:http://127.0.0.1:9/v1#m", "--timeout", "1"
    )
    assert code == 2
    assert "no connection" in err


def test_responses_of_files_are_judged(tmp_path):
    file = tmp_path / "x.jsonl"
    file.write_text('{"query": "How?", "response": "I cannot share that.", "unsafe": true}')
    code, out, err = command(BLOCKED, "judge", file, "--out", tmp_path / "run", "--json")
    assert code == 0, err
    assert json.loads(out)["models"]["x"]["asr"]["before"]["n"] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "args", [("--help",), ("doctor", "--no-measure"), ("schema",), ("evaluate", "--suite", "list")]
)
def test_commands_without_a_model_work(args):
    code, out, err = command(BLOCKED, *args)
    assert code == 0, err
    assert out


@pytest.mark.slow
@pytest.mark.parametrize("args", [("align", "m", "--out", "o", "--retain", "d.json"), ("demo", "--out", "o")])
def test_commands_that_need_a_model_say_what_to_install(tmp_path, monkeypatch, args):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.json").write_text('[{"query": "a", "answer": "b", "refused": false}]')
    code, out, err = command(BLOCKED, *args)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "is not installed. Install the packages for models: pip install 'unmirage[models]'" in err


@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("doctor", "--no-measure"),
        ("schema",),
        ("audit", "--helpp"),
        ("evaluate", "RUN"),
        ("report", "RUN"),
    ],
)
def test_torch_is_not_imported_where_it_is_installed(answered, args):
    command(PLAIN, "evaluate", answered)
    told = (
        "import atexit, sys; atexit.register(lambda: print(*sorted({'torch', 'transformers'} & set(sys.modules)),"
        f" 'imported', file=sys.stderr)); {PLAIN}"
    )
    _, _, err = command(told, *(answered if one == "RUN" else one for one in args))
    assert err.splitlines()[-1] == "imported"
