"""Methods, judges, formats, suites and rewriters of another package: used by name, saved, resumed."""

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import unmirage as um
from unmirage.attack.rewriters import REWRITERS

MODULE = '''
from typing import Literal

from unmirage.align.methods.npo import Npo, NpoConfig
from unmirage.attack.rewriters import RewriteReport
from unmirage.evaluate.judges import TextJudge
from unmirage.evaluate.suites.safety import SINGLE
from unmirage.records import Sample, Verdict


class TwiceConfig(NpoConfig):
    name: Literal["twice"] = "twice"
    factor: float = 2.0

    def make(self):
        return Twice(self)


class Twice(Npo):
    """NPO with a weight."""

    def forget(self, forget):
        parts = super().forget(forget)
        factor = self.config.factor
        return {name: type(part)(factor * part.total, part.per, part.stream) for name, part in parts.items()}


class Short(TextJudge):
    def __init__(self, most):
        self.name = f"short {most}"
        self.most = most

    def verdict(self, query, response):
        return (Verdict.REFUSED if len(response) < self.most else Verdict.COMPLIED), str(len(response))


def short(argument, options):
    return Short(int(argument or 10))


class Lines:
    """A format whose records are {"q": ..., "bad": true}."""

    def matches(self, record):
        return set(record) == {"q", "bad"}

    def samples_of(self, row):
        fields = row.fields
        return [Sample(id=str(row.number), record=str(row.number), query=fields["q"], refused=fields["bad"],
                       label_source="field")]


class Please:
    """A rewriter that puts the word, or a courtesy, before the query."""

    def __init__(self, courtesy):
        self.name = f"please {courtesy}"
        self.courtesy = courtesy
        self.report = RewriteReport(rewriter=self.name)

    def reword(self, wanted, progress=None):
        found = []
        for one in wanted:
            first = one.word if one.goal == "open" else self.courtesy
            found.append([f"{first} {'so ' * shot}{one.query}" for shot in range(one.shots)])
            self.report = self.report.plus(queries=1, asked=one.shots, kept=one.shots)
        return found


def please(spec, check, cache, settings):
    return Please(spec.partition(":")[2] or "kindly")


lines = Lines()
first = next(iter(SINGLE.values()))
suite = type(first)(**{field: getattr(first, field) for field in first.__dataclass_fields__} | {"name": "mine"})
'''
ENTRIES = """
[unmirage.methods]
twice = other_tools:TwiceConfig
[unmirage.judges]
short = other_tools:short
phrases = other_tools:short
broken = other_tools_broken:judge
[unmirage.formats]
lines = other_tools:lines
broken = other_tools_broken:lines
[unmirage.suites]
mine = other_tools:suite
[unmirage.rewriters]
please = other_tools:please
broken = other_tools_broken:please
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Return a folder with an installed package, as `pip install --target` leaves it."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "other_tools.py").write_text(MODULE)
    (folder / "other_tools_broken.py").write_text("raise RuntimeError('no such driver')")
    info = folder / "other_tools-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-tools\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    return folder


@pytest.fixture
def run(package):
    """Return a function that runs the command line where the package is installed."""
    path = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])

    def run(*args):
        command = [sys.executable, "-c", "from unmirage.cli.main import run; run()", *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def data(tmp_path):
    rows = [{"q": f"Share the plan of {n}.", "bad": True} for n in range(20)]
    rows += [{"q": f"What is the color of {n}?", "bad": False} for n in range(20)]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_format_is_found_by_its_records_and_by_name(run, data):
    for options in ((), ("--format", "lines")):
        code, out, err = run("audit", data, "--json", *options)
        assert code == 0, err
        assert (json.loads(out)["format"], json.loads(out)["n"]) == ("lines", 40)
    # The broken format is reported once all formats were tried.
    data.write_text('{"nothing": 1}\n')
    code, _, err = run("audit", data, "--json")
    assert code == 2
    assert "no known format has the fields ['nothing']" in err
    assert "format 'broken' of the package other-tools 1.2 cannot be imported (RuntimeError: no such driver)" in err


def test_a_judge_takes_its_argument(run, tiny, tmp_path):
    words = {"jailbreak": "what", "over-prudence": "share"}
    um.attack(tiny.model, tiny.data / "test.json", words=words, out=tmp_path / "run", max_new_tokens=2, limit=4)
    code, out, err = run("evaluate", tmp_path / "run", "--judge", "short:3", "--json")
    assert code == 0, err
    assert json.loads(out)["judge"] == "short 3"
    assert "judge 'phrases' of the package other-tools 1.2 is ignored: the name is taken" in err
    code, _, err = run("evaluate", tmp_path / "run", "--judge", "broken")
    assert code == 2
    assert "judge 'broken' of the package other-tools 1.2 cannot be imported" in err
    code, _, err = run("evaluate", tmp_path / "run", "--judge", "shrt")
    assert code == 2
    assert "Did you mean 'short'?" in err


def test_a_suite_is_listed(run):
    code, out, err = run("evaluate", "--suite", "list")
    assert code == 0, err
    assert "mine" in out


def test_a_rewriter_is_used_by_name_and_as_an_object(run, tiny, package, tmp_path, monkeypatch):
    test = tiny.data / "test.json"
    options = ("--word", "jailbreak=what", "--word", "over-prudence=share", "--shots", 2, "--limit", 8)
    code, out, err = run("attack", tiny.model, test, "--dry-run", "--rewriter", "please:gently", *options)
    assert code == 0, err
    texts = {(one["id"], one["kind"]): one["text"] for one in json.loads(out)["queries"]}
    assert {kind for _, kind in texts} >= {"plain", "jailbreak", "control"}
    starts = {kind: {text.split()[0] for (_, one), text in texts.items() if one == kind} for _, kind in texts}
    assert starts["jailbreak"] == {"what"}
    assert starts["control"] == {"gently"}
    for name, message in (
        ("broken", "rewriter 'broken' of the package other-tools 1.2 cannot be imported (RuntimeError: no such driver"),
        ("plese", "unknown rewriter 'plese'; valid: broken, endpoint, please, rules. Did you mean 'please'?"),
    ):
        code, _, err = run("attack", tiny.model, test, "--dry-run", "--rewriter", name, *options)
        assert code == 2
        assert message in err

    monkeypatch.syspath_prepend(package)
    module = importlib.import_module("other_tools")
    monkeypatch.setitem(REWRITERS, "please", module.please)
    words = {"jailbreak": "what", "over-prudence": "share"}
    for number, rewriter in enumerate((module.Please("gently"), "please:gently")):
        made = um.attack(tiny.model, test, words=words, shots=2, out=tmp_path / f"{number}", limit=8, max_new_tokens=1,
                         rewriter=rewriter)  # fmt: skip
        with made.store() as store:
            assert {(one.id, one.kind.value): one.text for one in store.queries()} == texts
    assert made.config()["rewriter"] == "please:gently"


def test_a_method_trains_and_is_resumed_after_a_kill(run, tiny, package, tmp_path):
    rows = [{"query": one.query, "answer": one.answer or "amber", "image": one.image} for one in tiny.samples("safety")]
    sets = {"forget": rows[:8], "retain": rows[8:24]}
    for name, kept in sets.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({**row, "refused": False}) + "\n" for row in kept))
    config = tmp_path / "twice.yaml"
    config.write_text("method: {name: twice, factor: 3.0, beta: 0.2}\nsteps: 6\nbatch_size: 4\nsave_every: 2\n")

    def command(out):
        sources = ("--forget", tmp_path / "forget.jsonl", "--retain", tmp_path / "retain.jsonl", "--images", tiny.data)
        return ("align", tiny.model, "--out", out, "--config", config, *sources)

    code, _, err = run(*command(tmp_path / "whole"))
    assert code == 0, err
    made = json.loads((tmp_path / "whole" / "unmirage_align.json").read_text())["settings"]["method"]
    assert (made["name"], made["factor"], made["beta"]) == ("twice", 3.0, 0.2)

    stopping = (
        "import os, sys; from unmirage.align.work_directory import Work; from unmirage.cli.main import run\n"
        "record = Work.record\n"
        "def stop(self, step, parts):\n"
        "    record(self, step, parts)\n"
        "    if step == 5: os.kill(os.getpid(), 9)\n"
        "Work.record = stop; run()"
    )
    path = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
    stopped = subprocess.run(
        [sys.executable, "-c", stopping, *map(str, command(tmp_path / "stopped"))],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert stopped.returncode == -signal.SIGKILL
    assert not (tmp_path / "stopped").exists()
    code, _, err = run(*command(tmp_path / "stopped"))
    assert code == 0, err
    whole, again = (tmp_path / name / "model.safetensors" for name in ("whole", "stopped"))
    assert whole.read_bytes() == again.read_bytes()


def test_an_unknown_method_is_named_with_the_nearest(run, tiny, tmp_path):
    code, _, err = run("align", tiny.model, "--out", tmp_path / "m", "--retain", "r.json", "--method", "twcie")
    assert code == 2
    assert "unknown method 'twcie'" in err
    assert "twice" in err
    assert Path("r.json").exists() is False
