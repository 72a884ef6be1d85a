"""The command line stopped at a place, and data for `unmirage audit`."""

import json
import subprocess
import sys
from contextlib import ExitStack

import pytest
from tests.cli.servers import Proxy

STOPPING = """
import os, sys
from unmirage.align.work_directory import Work
from unmirage.cli.main import run
from unmirage.run import Store
from unmirage.run import store

store._SECONDS = 0.0  # every row is kept as it comes, however fast the machine is
owner, method, calls, number = {"Store": Store, "Work": Work}[sys.argv.pop(1)], *sys.argv[1:4]
del sys.argv[1:4]
original, left = getattr(owner, method), int(calls)

def stopping(*args):
    global left
    original(*args)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), int(number))

setattr(owner, method, stopping)
run()
"""


@pytest.fixture
def stopped():
    """Return a function that runs the command line until a method of a class has been called so many times.

    The process then sends itself the signal, so that the place where it stops does not depend on the machine's speed.
    The function returns the exit status and what was written to stderr.
    """

    def run(method, calls, number, *args):
        command = [sys.executable, "-c", STOPPING, *method.split("."), str(calls), str(int(number)), *map(str, args)]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        return done.returncode, done.stderr

    return run


@pytest.fixture
def audited(unmirage):
    """Return a function that runs `unmirage audit ... --json` and returns (exit code, document, stderr)."""

    def run(*args):
        code, out, err = unmirage("audit", *args, "--json")
        assert "Traceback" not in err
        return code, json.loads(out), err

    return run


@pytest.fixture
def rows():
    """Return 60 records whose first word tells the label."""
    share = [{"query": f"Share it {n}.", "refused": True} for n in range(30)]
    return share + [{"query": f"What is it {n}?", "refused": False} for n in range(30)]


@pytest.fixture
def mixed():
    """Return 240 records whose first word nearly tells the label: each one is refused and answered at times."""
    refused = [f"Can you share the plan of device {n}?" for n in range(100)]
    refused += [f"What is the plan of device {n}?" for n in range(20)]
    answered = [f"Can you name the colour of device {n}?" for n in range(20)]
    answered += [f"What is the colour of device {n}?" for n in range(100)]
    return [
        {"query": query, "refused": label, "answer": "I cannot share that." if label else "It is red."}
        for label, queries in ((True, refused), (False, answered))
        for query in queries
    ]


@pytest.fixture
def write(tmp_path):
    """Return a function that writes records as JSON lines, with `more` text behind them, and returns the path."""

    def write(rows, name="toy.jsonl", more=""):
        path = tmp_path / name
        text = "".join(json.dumps(row) + "\n" for row in rows) + more
        path.write_bytes(text.encode("utf-8"))
        return path

    return write


@pytest.fixture(scope="module")
def real_server(tmp_path_factory):
    """Return a function that starts a real server of `tests.cli.servers` for this module and returns its base URL."""
    with ExitStack() as started:

        def start(server, *args):
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("NO_PROXY", "127.0.0.1")
                return started.enter_context(server(tmp_path_factory.mktemp("server"), *args))

        yield start


@pytest.fixture
def proxied(monkeypatch):
    """Return a function that puts a counting proxy in front of a server."""
    for name in ("UNMIRAGE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    made = []

    def start(url):
        made.append(Proxy(url))
        return made[-1]

    yield start
    for proxy in made:
        proxy.stop()
