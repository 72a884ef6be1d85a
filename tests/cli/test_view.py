"""`unmirage view`: pages of a run while it is written; nothing is written to it, and only the loopback is served."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from http.client import HTTPConnection

import pytest

import unmirage as um
from unmirage.errors import UserError
from unmirage.records import Failure, Kind, Query, Response
from unmirage.report import live
from unmirage.report.live_server import HOST, serving
from unmirage.run import Run, open_run

ATTACK = {"shots": 1, "jailbreak_word": "what", "over_prudence_word": "share"}


@pytest.fixture
def run(tmp_path) -> Run:
    path = tmp_path / "my run"
    with open_run(path, {"seed": 0, "attack": ATTACK}) as made, made.store() as store:
        store.add_queries(
            [Query(id=f"{n}|{kind}", sample_id=str(n), kind=kind, shot=0, text="?", image=None, unsafe=True)
             for n in range(4) for kind in (Kind.PLAIN, Kind.JAILBREAK)]
        )  # fmt: skip
    return made


def answer(run: Run, ids, text="You need amber.") -> None:
    with run.store() as store:
        store.add_responses([Response(query_id=one, model="m", text=text, tokens=4) for one in ids])


@pytest.fixture
def served(run, monkeypatch):
    monkeypatch.setattr(live, "_AGE", 0.0)
    with serving([run], 0) as (address, serve):
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()

        def get(path="/", host=None, method="GET"):
            place = address.removeprefix("http://").rstrip("/")
            connection = HTTPConnection(place, timeout=30)
            connection.request(method, path, headers={"Host": host or place})
            found = connection.getresponse()
            return found.status, found.read().decode(), found.headers

        yield get


def test_the_page_follows_the_run(run, served):
    status, page, _ = served()
    assert status == 200
    assert "No response can be judged yet" in page
    assert 'http-equiv="refresh" content="15"' in page
    assert '<a href="/?still">Stop reloading</a>' in page
    assert "refresh" not in served("/?still")[1]
    assert served("/report/0")[0] == 503
    answer(run, ["0|plain", "0|jailbreak", "1|plain"])
    _, page, _ = served()
    assert "Preliminary rates of the phrase judge" in page
    assert "<td>3</td><td>0</td><td>8</td>" in page
    status, report, _ = served("/report/0")
    assert status == 200
    assert "<title>" in report
    assert "You need amber." in report
    answer(run, [f"{n}|{kind}" for n in range(4) for kind in ("plain", "jailbreak")])
    with run.store() as store:
        store.add_failures([Failure(query_id="3|plain", model="m", reason="none")])
    um.evaluate(run)
    _, page, _ = served()
    assert "Rates of <code>unmirage evaluate</code>" in page
    assert "refresh" not in page
    assert "<td>100 % → 100 %</td><td>not yet</td>" in page.replace("\xa0", " ")


def test_nothing_is_written_to_the_run(run, served):
    def files():
        found = {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in run.path.iterdir() if one.is_file()}
        return {name: own for name, own in found.items() if not name.endswith(("-shm", "-wal"))}

    answer(run, ["0|plain", "0|jailbreak"])
    before = files()
    assert served()[0] == served("/report/0")[0] == 200
    assert files() == before
    assert "results.json" not in before


def test_a_writer_that_holds_the_store_does_not_stop_the_page(run, served):
    answer(run, ["0|plain"])
    with sqlite3.connect(run.path / "store.sqlite", isolation_level=None) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert served()[0] == 200
        writer.execute("ROLLBACK")


def test_a_run_that_is_gone_is_shown_as_it_was(run, served):
    answer(run, ["0|plain"])
    assert "shown as of" not in served()[1]
    run.config_file.unlink()
    (run.path / "store.sqlite").write_bytes(b"no database" * 1000)
    assert "shown as of" in served()[1]


@pytest.mark.parametrize("path", ["/report/1", "/report/-1", "/report/x", "/../../etc/passwd", "/report/0/../../x"])
def test_other_paths_are_not_found(served, path):
    assert served(path)[0] == 404


def test_other_sites_and_methods_are_refused(served):
    assert served(host="evil.example")[0] == 403
    assert served(method="POST")[0] == 501
    status, page, headers = served(method="HEAD")
    assert (status, page) == (200, "")
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_port_in_use_is_an_error_if_it_was_named(run):
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"--port {port}: is in use; name another"), serving([run], port):
            pass


def test_a_folder_that_is_no_run_is_one_line(unmirage, tmp_path):
    code, out, err = unmirage("view", tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith(f"unmirage: {tmp_path}: not a run directory")


def test_ctrl_c_ends_with_0_and_leaves_nothing(run, tmp_path):
    own = tmp_path / "tmp"
    own.mkdir()
    command = [sys.executable, "-c", "from unmirage.cli.main import run; run()", "view", str(run.path), "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, env=os.environ | {"TMPDIR": str(own)}) as ended:
        assert ended.stdout.readline().startswith(f"http://{HOST}:")
        assert [one.name[:13] for one in own.iterdir()] == ["unmirage-view"]
        ended.send_signal(signal.SIGINT)
        _, err = ended.communicate(timeout=30)
    assert (ended.returncode, err) == (0, "Press Ctrl-C to end.\n")
    assert not [*own.iterdir()]
