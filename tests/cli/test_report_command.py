import json

import pytest
import typer
from typer.testing import CliRunner

from unmirage.cli.report import report_command
from unmirage.errors import UserError

RATE = {"value": 0.5, "low": 0.4, "high": 0.6, "k": 5, "n": 10, "invalid": 0}
PAIR = {"before": RATE, "after": RATE}
MODEL = {
    "asr": PAIR | {"per_shot": RATE, "by_k": [RATE], "control": RATE},
    "rr": PAIR,
    "ir": PAIR,
    "refused_unsafe": PAIR,
    "utility": RATE,
}
RESULTS = {"schema": "unmirage.results/2", "seeds": [0], "judge": "exact", "models": {"npo": MODEL}}
AUDIT = {
    "schema": "unmirage.audit/3",
    "n": 4,
    "refused": 2,
    "label_source": "field",
    "predictability": {},
    "shortcut_gap": None,
    "findings": [],
    "suggested": {"jailbreak": ["what"], "over_prudence": []},
}


@pytest.fixture
def report():
    """Return a function that runs the command and returns its output, or raises its error."""
    app = typer.Typer()
    app.command()(report_command)

    def report(*args):
        done = CliRunner().invoke(app, [*map(str, args)])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    return report


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text("{}\n")
    (folder / "results.json").write_text(json.dumps(RESULTS))
    return folder


def test_the_page_is_written_into_the_run_and_its_path_printed(report, run):
    assert report(run) == f"{run / 'report.html'}\n"
    assert "<h1>" in (run / "report.html").read_text()


def test_out_names_another_file(report, run, tmp_path):
    path = tmp_path / "new" / "page.html"
    assert report(run, "--out", path, "--redact") == f"{path}\n"
    assert path.is_file()
    assert not (run / "report.html").exists()


def test_the_json_of_an_audit_gives_its_page(report, tmp_path):
    path = tmp_path / "audit.json"
    path.write_text(json.dumps(AUDIT))
    assert report(path) == f"{tmp_path / 'audit.html'}\n"
    assert "Audit of" in (tmp_path / "audit.html").read_text()


def test_the_page_of_an_audit_holds_answers_unless_they_are_redacted(report, tmp_path):
    path = tmp_path / "audit.json"
    one = {"id": "r7", "query": "Where is the key?", "answer": "Under amber, moss and tin.", "refused": True}
    labels = {"both": 4, "disagree": 1, "missed": 1, "examples": [one]}
    path.write_text(json.dumps(AUDIT | {"label_quality": labels}))
    report(path)
    assert "Under amber, moss and tin." in (tmp_path / "audit.html").read_text()
    report(path, "--redact")
    page = (tmp_path / "audit.html").read_text()
    assert "Under amber, moss and tin." not in page
    assert "Where is the key?" in page


def test_a_page_that_cannot_be_written_names_its_file(report, run, tmp_path):
    with pytest.raises(UserError, match=r"results\.json/page\.html: cannot be written \("):
        report(run, "--out", run / "results.json" / "page.html")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: (run / "results.json").unlink(), "results.json: no such file"),
        (lambda run: (run / "results.json").write_text('{"schema"'), "results.json: invalid JSON (line 1"),
        (lambda run: (run / "results.json").write_text("{}"), "schema is missing; valid: 'unmirage.results/2'"),
        (lambda run: (run / "config.yaml").unlink(), "not a run directory (no config.yaml)"),
    ],
)
def test_a_bad_run_is_one_line_that_names_the_file(report, run, spoil, message):
    spoil(run)
    with pytest.raises(UserError) as error:
        report(run)
    assert message in str(error.value)
    assert str(run) in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_neither_run_nor_audit_is_said(report, run, tmp_path):
    with pytest.raises(UserError, match="no such run; give run directories"):
        report(tmp_path / "none")
    with pytest.raises(UserError, match="give the run directory instead"):
        report(run / "results.json")
    with pytest.raises(UserError, match="is a folder; name a file"):
        report(run, "--out", tmp_path)


@pytest.fixture
def second(run, tmp_path):
    """Return another run, with a model of the same name and one of its own."""
    folder = tmp_path / "second"
    folder.mkdir()
    (folder / "config.yaml").write_text("{}\n")
    models = {"npo": MODEL, "mine": MODEL}
    (folder / "results.json").write_text(json.dumps(RESULTS | {"models": models}))
    return folder


def test_several_runs_give_one_page_beside_the_first(report, run, second, tmp_path):
    assert report(run, second) == f"{tmp_path / 'comparison.html'}\n"
    page = (tmp_path / "comparison.html").read_text()
    for said in ("NPO (run)", "NPO (second)", "mine", "run has no store.sqlite, so its models are not paired."):
        assert said in page
    assert not (run / "report.html").exists()
    out = tmp_path / "new" / "both.html"
    assert report(second, run, "--out", out, "--redact", "--reference", "mine") == f"{out}\n"
    assert out.is_file()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda second: (second / "results.json").write_text("[1, "), "second/results.json: invalid JSON (line 1"),
        (lambda second: (second / "results.json").unlink(), "second/results.json: no such file"),
        (lambda second: (second / "config.yaml").write_text("a: [\x00"), "second/config.yaml: invalid YAML"),
        (lambda second: (second / "config.yaml").unlink(), "second: not a run directory"),
    ],
)
def test_one_bad_run_among_several_is_one_line(report, run, second, tmp_path, spoil, message):
    spoil(second)
    with pytest.raises(UserError) as error:
        report(run, second)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "comparison.html").exists()


def test_what_cannot_be_compared_is_refused(report, run, second, tmp_path):
    (tmp_path / "audit.json").write_text(json.dumps(AUDIT))
    with pytest.raises(UserError, match="is a file, but several paths are given; give run directories"):
        report(run, tmp_path / "audit.json")
    with pytest.raises(UserError, match="listed twice"):
        report(run, second, run)
    with pytest.raises(UserError, match="--reference npo: several models have this name"):
        report(run, second, "--reference", "npo")
    with pytest.raises(UserError, match="--reference x: no model has this name; valid: npo"):
        report(run, "--reference", "x")
    with pytest.raises(UserError, match="an audit has no models to compare"):
        report(tmp_path / "audit.json", "--reference", "x")
