import json
import sys
from types import ModuleType

import pytest

from unmirage.cli import main
from unmirage.cli.options import parse_columns
from unmirage.data import FORMATS
from unmirage.errors import UserError


@pytest.fixture
def unmirage(capsys, monkeypatch):
    """Return a function that runs the command line and returns (exit code, stdout, stderr)."""

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["unmirage", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            main.run()
        return ended.value.code or 0, *capsys.readouterr()

    return run


@pytest.fixture
def write(tmp_path):
    def write(rows, name="toy.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


ROWS = [{"q": "Share it.", "bad": 1}] * 30 + [{"q": "What is it?", "bad": 0}] * 30
COLUMNS = ("--columns", "query=q,refused=bad")


def test_the_table_opens_with_the_headline_and_ends_with_the_words(unmirage, write):
    code, out, err = unmirage("audit", write(ROWS), *COLUMNS)
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == "The first word alone predicts refusal for 100.0% of queries (majority guess: 50.0%)."
    assert "Label: the data's own field; 30 refused, 30 answered" in out
    assert "cross-validated" in out
    assert lines[-2:] == ["Words to try, jailbreak attack: what", "Words to try, over-prudence attack: share"]
    assert max(map(len, lines[3:])) <= 80


def test_json_is_all_there_is_on_stdout(unmirage, write):
    code, out, err = unmirage("audit", write(ROWS), *COLUMNS, "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert (document["schema"], document["n"], document["shortcut_gap"]) == ("unmirage.audit/1", 60, 0.5)


def test_a_test_file_replaces_the_cross_validation(unmirage, write):
    unseen = write([{"q": "Share it.", "bad": 0}, {"q": "What?", "bad": 0}], "unseen.jsonl")
    _, out, _ = unmirage("audit", write(ROWS), *COLUMNS, "--test", unseen)
    assert "unseen (test file)" in out
    assert "predicts refusal for 50.0% of queries" in out


def test_a_page_is_written_from_the_same_document(unmirage, write, monkeypatch, tmp_path):
    page = ModuleType("unmirage.report.audit_page")
    page.render_audit_page = lambda document: f"<p>{document['n']}</p>"
    monkeypatch.setitem(sys.modules, "unmirage.report.audit_page", page)
    code, out, _ = unmirage("audit", write(ROWS), *COLUMNS, "--html", tmp_path / "new" / "page.html")
    assert code == 0
    assert (tmp_path / "new" / "page.html").read_text() == "<p>60</p>"
    assert out.rstrip().endswith("page.html")


def test_a_gate_that_fails_ends_with_3_after_the_result(unmirage, write):
    code, out, err = unmirage("audit", write(ROWS), *COLUMNS, "--json", "--fail-if", "shortcut_gap>0.2")
    assert (code, json.loads(out)["n"]) == (3, 60)
    assert "gate 'shortcut_gap>0.2' failed: shortcut_gap is 0.5" in err
    assert unmirage("audit", write(ROWS), *COLUMNS, "--fail-if", "shortcut_gap>0.6")[0] == 0


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], (), "toy.jsonl: holds no records"),
        (ROWS[:3], COLUMNS, "all 3 queries are refused (field 'refused'"),
        (ROWS, ("--columns", "query"), "--columns: 'query' is not NAME=COLUMN"),
        (ROWS, ("--columns", "query=text"), "has no column 'text' for 'query'; it has 'q', 'bad'"),
        (
            ROWS,
            ("--format", "lava"),
            "unknown format 'lava'; valid: auto, csv, json, jsonl, llava, spa-vl, vlguard",
        ),
        (ROWS, (), "no known format has the fields ['bad', 'q']"),
        (ROWS, (*COLUMNS, "--fail-if", "gap>1"), "no number is called 'gap'; valid: n, refused"),
    ],
)
def test_mistakes_are_one_line_and_end_with_2(unmirage, write, rows, options, message):
    code, _, err = unmirage("audit", write(rows), *options)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_nothing_in_the_data_reaches_the_terminal_as_an_escape_or_markup(unmirage, write):
    rows = [{"q": f"{word} it", "bad": n % 2} for n, word in enumerate(["\x1b[31mRed", "[bold]Bold"] * 10)]
    _, out, _ = unmirage("audit", write(rows, "[red]x.jsonl"), *COLUMNS)
    assert "\x1b" not in out
    assert "[red]x.jsonl" in out


def test_columns_are_parsed():
    assert parse_columns("query=prompt, answer = output,") == {"query": "prompt", "answer": "output"}
    assert parse_columns("") == {}
    for text in ("query", "=prompt", "query="):
        with pytest.raises(UserError, match="valid: query=prompt,answer=output"):
            parse_columns(text)


def test_the_help_names_every_format(unmirage, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = unmirage("audit", "--help")
    assert code == 0
    assert all(name in out for name in ("auto", *FORMATS))
