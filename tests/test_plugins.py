"""Methods, judges, formats, suites and rewriters of another package: used by name, saved, resumed."""

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest

import unmirage as um
from unmirage.align.methods import METHOD_CONFIGS, make_method
from unmirage.align.methods.npo import Npo, NpoConfig
from unmirage.align.objective import MethodConfig
from unmirage.attack.rewriters import REWRITERS, RewriteReport, Wanted, make_rewriter
from unmirage.cli.evaluate import suites_table
from unmirage.data import FORMATS, load_samples
from unmirage.evaluate.judges import JUDGES, TextJudge, make_judge
from unmirage.evaluate.suites import SUITES, load_suite
from unmirage.evaluate.suites.base import Suite
from unmirage.records import Judgement, Kind, Query, Response, Verdict
from unmirage.workflows.settings import resolve

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


settings = {"name": "faulty"}
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
faulty = other_tools:short
lines = other_tools:lines
broken = other_tools_broken:lines
[unmirage.suites]
faulty = other_tools:settings
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
def environment(package):
    """Return the environment variables of a process where the package is installed."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])}


@pytest.fixture
def run(package, unmirage, monkeypatch):
    """Return a function that runs the command line where the package is installed, as if in a new process."""
    monkeypatch.syspath_prepend(package)

    def run(*args):
        for registry in (FORMATS, JUDGES, METHOD_CONFIGS, REWRITERS, SUITES):
            for name, state in (("_others", None), ("_known", dict(registry._builtin)), ("_warned", set())):
                monkeypatch.setattr(registry, name, state)
        return unmirage(*args)

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
        # Only detection looks at other formats.
        assert err.count("format 'faulty' of the package other-tools 1.2 is not valid") == (not options)
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


def test_a_suite_is_listed_in_a_new_process(environment):
    command = [sys.executable, "-c", "from unmirage.cli.main import run; run()", "evaluate", "--suite", "list"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    err = done.stderr
    assert done.returncode == 0, err
    assert "mine" in done.stdout
    assert "suite 'faulty' of the package other-tools 1.2 is not valid (got an object of type dict; valid:" in err


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
    monkeypatch.setattr(REWRITERS, "_others", {})
    monkeypatch.setitem(REWRITERS, "please", module.please)
    words = {"jailbreak": "what", "over-prudence": "share"}
    for number, rewriter in enumerate((module.Please("gently"), "please:gently")):
        made = um.attack(tiny.model, test, words=words, shots=2, out=tmp_path / f"{number}", limit=8, max_new_tokens=1,
                         rewriter=rewriter)  # fmt: skip
        with made.store() as store:
            assert {(one.id, one.kind.value): one.text for one in store.queries()} == texts
    assert made.config()["rewriter"] == "please:gently"


def test_a_method_trains_and_is_resumed_after_a_kill(run, tiny, environment, tmp_path):
    rows = [{"query": one.query, "answer": one.answer or "amber", "image": one.image} for one in tiny.samples("safety")]
    harmful = [{**row, "answer": "You need amber.", "refused": True} for row in rows[:8]]
    sets = {"forget": harmful, "retain": [{**row, "refused": False} for row in rows[8:24]]}
    for name, kept in sets.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
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
    stopped = subprocess.run(
        [sys.executable, "-c", stopping, *map(str, command(tmp_path / "stopped"))],
        capture_output=True,
        env=environment,
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


@pytest.fixture
def plug(monkeypatch):
    """Return a function that makes `thing` the entry "mine" of a package "faulty 0.3", as an entry point does."""

    def plug(registry, thing):
        dist = SimpleNamespace(name="faulty", version="0.3")
        point = SimpleNamespace(name="mine", value="faulty:thing", dist=dist, load=lambda: thing)
        monkeypatch.setattr(registry, "_others", {"mine": point})
        monkeypatch.setattr(registry, "_known", {k: v for k, v in registry._known.items() if k != "mine"})
        monkeypatch.setattr(registry, "_warned", set())

    return plug


def message(kind, what):
    return f"{kind} 'mine' of the package faulty 0.3 {what}. Repair or uninstall that package"


def failing(*_args, **_options):
    raise KeyError("key")


class Fixed(TextJudge):
    """A judge whose `verdict` returns what it was created with."""

    name = "fixed"

    def __init__(self, found):
        self.found = found

    def verdict(self, query, response):
        return self.found() if callable(self.found) else self.found


class Nameless(Fixed):
    name = None


class Silent(Fixed):
    def judge(self, answers, progress=None):
        yield from ()


A_JUDGE = "a function of (argument, JudgeOptions) that returns a Judge"
ANSWERS = [
    (
        Query(id="1", sample_id="1", kind=Kind.PLAIN, shot=0, text="Why?", image=None, unsafe=True),
        Response(query_id="1", model="m", text="No.", tokens=1),
    )
]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (failing, "cannot be created (KeyError: 'key')"),
        (lambda *_: None, "cannot be created (got None; valid: a Judge)"),
        (3, f"is not valid (got an object of type int; valid: {A_JUDGE})"),
        (lambda *_: Nameless(1), "cannot be created (an object of type Nameless has no valid name; valid: a Judge)"),
        (lambda *_: Fixed, "cannot be created (got the class Fixed; valid: an instance)"),
    ],
)
def test_a_faulty_judge_names_its_package(plug, entry, problem):
    plug(JUDGES, entry)
    with pytest.raises(um.UserError) as caught:
        make_judge("mine")
    assert str(caught.value) == message("judge", problem)
    assert caught.value.__cause__ is not None
    assert make_judge("phrases").name


@pytest.mark.parametrize(("entry", "given"), [(lambda one: one, "<lambda>() takes 1"), (Fixed, "__init__() takes 2")])
def test_a_judge_with_the_wrong_arguments_names_its_package(plug, entry, given):
    plug(JUDGES, entry)
    with pytest.raises(um.UserError, match=r"judge 'mine' of the package faulty 0\.3 cannot be created") as caught:
        make_judge("mine")
    assert f"{given} positional argument" in str(caught.value)


@pytest.mark.parametrize(
    ("judge", "problem"),
    [
        (Fixed(failing), "KeyError: 'key'"),
        (Fixed(None), "TypeError: cannot unpack non-iterable NoneType object"),
        (Fixed((Verdict.REFUSED,)), "ValueError: not enough values to unpack (expected 2, got 1)"),
        (Silent(None), "it yielded no Judgement on 1 of 1 answers"),
    ],
)
def test_an_error_in_judge_names_the_package_and_has_its_cause(plug, judge, problem):
    plug(JUDGES, lambda *_: judge)
    with pytest.raises(um.UserError) as caught:
        list(make_judge("mine").judge(ANSWERS))
    assert str(caught.value) == message("judge", f"failed in judge() ({problem})")
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("found", [("refused", ""), (Verdict.REFUSED, 3)])
def test_a_wrong_verdict_names_the_package(plug, found):
    plug(JUDGES, lambda *_: Fixed(found))
    with pytest.raises(um.UserError, match=r"faulty 0\.3 failed in judge\(\) \(it yielded Judgement\(.*Repair or"):
        list(make_judge("mine").judge(ANSWERS))


def test_a_valid_plugin_and_its_own_user_errors_pass_unchanged(plug):
    judge = Fixed((Verdict.REFUSED, "so"))
    plug(JUDGES, lambda *_: judge)
    made = make_judge("mine")
    wanted = Judgement(query_id="1", model="m", judge="fixed", verdict=Verdict.REFUSED, why="so")
    assert list(made.judge(ANSWERS)) == [wanted]
    assert isinstance(made, Fixed)

    def refuse(*_):
        raise um.UserError("argument 'x' is not a number")

    judge.found = refuse
    with pytest.raises(um.UserError, match=r"^argument 'x' is not a number$"):
        list(made.judge(ANSWERS))
    plug(JUDGES, refuse)
    with pytest.raises(um.UserError, match=r"^argument 'x' is not a number$"):
        make_judge("mine")


def test_an_entry_of_this_session_and_a_built_in_one_name_no_package(monkeypatch):
    monkeypatch.setitem(JUDGES, "own", failing)
    with pytest.raises(um.UserError, match=r"^judge 'own' cannot be created \(KeyError: 'key'\)\. Repair or omit it$"):
        make_judge("own")
    # An error in our own code stays an internal error.
    with pytest.raises(KeyError), JUDGES.running("phrases", "failed"):
        failing()


class Mine(NpoConfig):
    name: Literal["mine"] = "mine"

    def make(self):
        return failing()


class Unmade(MethodConfig):
    name: Literal["mine"] = "mine"


class Nothing(Unmade):
    def make(self):
        return None


class Lossless(Unmade):
    def make(self):
        return type("Lossless", (Npo,), {"forget": lambda *_: None})(NpoConfig())


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (Mine, "KeyError: 'key'"),
        (Unmade, "NotImplementedError: Unmade does not override make()"),
        (Nothing, "got None; valid: a Method, from make() of the config"),
    ],
)
def test_a_faulty_method_names_its_package(plug, config, problem):
    plug(METHOD_CONFIGS, config)
    with pytest.raises(um.UserError) as caught:
        make_method(METHOD_CONFIGS.find("mine")())
    assert str(caught.value) == message("method", f"cannot be created ({problem})")
    plug(METHOD_CONFIGS, Lossless)
    method = make_method(METHOD_CONFIGS.find("mine")())
    assert isinstance(method, Npo)
    assert method.retains
    with pytest.raises(um.UserError) as caught:
        method.forget(None)
    assert str(caught.value) == message("method", "failed in forget() (it returned None; valid: a dict of Part)")


@pytest.mark.parametrize(
    ("entry", "shown"),
    [(type("Bare", (MethodConfig,), {}), "Bare"), (Npo, "Npo"), (dict, "dict"), (7, "7")],
)
def test_a_class_that_is_no_config_with_a_name_names_its_package(plug, entry, shown):
    plug(METHOD_CONFIGS, entry)
    problem = f"is not valid (got {shown}; valid: a subclass of MethodConfig with a field 'name')"
    with pytest.raises(um.UserError) as caught:
        METHOD_CONFIGS.find("mine")
    assert str(caught.value) == message("method", problem)
    with pytest.raises(um.UserError) as caught:
        resolve(um.AlignConfig, None, {"method.name": "mine"}, None)
    assert message("method", problem) in str(caught.value)
    assert resolve(um.AlignConfig, None, {"method.name": "npo"}, None).method.name == "npo"


def test_a_faulty_suite_is_left_out_of_the_list_with_one_warning(plug, caplog):
    plug(SUITES, {"name": "mine"})
    tables = [suites_table() for _ in range(2)]
    assert [table.row_count for table in tables] == [len(SUITES) - 1] * 2
    assert [one.getMessage().partition("; valid")[0] for one in caplog.records] == [
        "suite 'mine' of the package faulty 0.3 is not valid (got an object of type dict"
    ]
    with pytest.raises(um.UserError, match=r"suite 'mine' of the package faulty 0\.3 is not valid"):
        load_suite("mine")
    plug(SUITES, Suite(name="mine", purpose="safety", about="", hub="", default="x", find=failing))
    with pytest.raises(um.UserError) as caught:
        load_suite("mine")
    assert str(caught.value) == message("suite", "failed in find() (KeyError: 'key')")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (SimpleNamespace(samples_of=failing), "is not valid (an object of type SimpleNamespace has no valid matches;"),
        (SimpleNamespace(matches=failing, samples_of=failing), "failed in matches() (KeyError: 'key')"),
    ],
)
def test_a_faulty_format_breaks_no_detection(plug, entry, problem, tmp_path, caplog, monkeypatch):
    plug(FORMATS, entry)
    monkeypatch.setitem(FORMATS, "later", SimpleNamespace(matches=lambda _: False, samples_of=failing))
    path = tmp_path / "odd.jsonl"
    path.write_text('{"nothing": 1}\n')
    for _ in range(2):
        with pytest.raises(um.UserError, match=r"no known format has the fields \['nothing'\]"):
            load_samples(path)
    (warning,) = [one.getMessage() for one in caplog.records]
    assert warning.startswith(f"format 'mine' of the package faulty 0.3 {problem}")
    monkeypatch.setitem(FORMATS, "later", SimpleNamespace(matches=lambda _: True, samples_of=lambda _: []))
    with pytest.raises(um.UserError, match=r"^.*format 'later' failed in samples_of\(\) \(it returned \[\]; valid"):
        load_samples(path)


def please(reword):
    return lambda *_: SimpleNamespace(name="please", report=RewriteReport(rewriter="please"), reword=reword)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (failing, "cannot be created (KeyError: 'key')"),
        (lambda *_: None, "cannot be created (got None; valid: a Rewriter)"),
        (please(failing), "failed in reword() (KeyError: 'key')"),
        (please(lambda *_: []), "failed in reword() (it returned []; valid: 1 lists, one per request)"),
        (please(lambda *_: ["so"]), "failed in reword() (it returned 'so' for a request; valid: a list of texts)"),
    ],
)
def test_a_faulty_rewriter_names_its_package(plug, entry, problem):
    plug(REWRITERS, entry)
    with pytest.raises(um.UserError) as caught:
        make_rewriter("mine").reword([Wanted("Why?", "what", 1, "open")])
    assert str(caught.value) == message("rewriter", problem)
