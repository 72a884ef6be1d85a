"""What must survive: broken and hostile data in, one line that says where, or a whole result."""

import csv
import json
import os
import subprocess
import sys

import pytest

ODD = {
    "a lone surrogate": "\ud800 what is it",
    "a NUL": "What\x00is it?",
    "right to left": "\u202eshare שלום",
    "an escape": "\x1b]8;;http://x\x07\x1b[31mShare it",
    "a word of a megabyte": "x" * 1_000_000,
    "a formula": "=cmd|' /C calc'!A0",
    "markup": "<script>alert(1)</script> [bold]share[/bold]",
    "nothing": "",
    "white space": " \t\n ",
}
INTERRUPTED = """
import os, signal, time
import unmirage.audit.pictures as pictures

def look_at(path, folder):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)

pictures._look_at = look_at
from unmirage.cli.main import run
run()
"""


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ('{"query": "Sha', "line 61: not JSON (column 11: Unterminated string"),
        ('{"query": NaN, "refused": true}\n', "line 61: not JSON (NaN is not a JSON value; write null)"),
        ('{"query": ["x"], "refused": true}\n', "line 61: field 'query' must be text, not ['x']"),
        ('{"query": "x", "refused": "perhaps"}\n', "line 61: field 'refused' is 'perhaps'; valid: true, false"),
        ('{"query": "x"}\n', "line 61: has neither a label field nor an answer"),
        ('{"query": "x", "refused": true, "id": [1]}\n', "line 61: field 'id' must be text, not [1]"),
        ('"x"\n', "line 61: "),
    ],
)
def test_a_bad_record_is_named_by_file_and_line_or_set_aside_and_counted(unmirage, write, rows, bad, message):
    data = write(rows, more=bad)
    code, out, err = unmirage("audit", data)
    assert (code, out) == (2, "")
    assert err.startswith(f"unmirage: {data}: {message}")
    assert err.count("\n") == 1

    code, out, err = unmirage("audit", data, "--skip-bad")
    assert (code, err) == (4, "some data could not be read: 1 record of toy.jsonl skipped\n")
    assert "Skipped unreadable records: 1 record; the first: " in out
    assert message[:20] in out
    assert "60 queries" in out

    code, out, err = unmirage("audit", data, "--skip-bad", "--json")
    document = json.loads(out)
    assert (code, document["n"], document["skipped"]["count"]) == (4, 60, 1)
    assert f"{data}: {message}" in document["skipped"]["examples"][0]


def test_a_record_of_a_json_list_is_named_by_its_place(unmirage, tmp_path, rows):
    data = tmp_path / "toy.json"
    data.write_text(json.dumps([rows[0], rows[-1], {"query": 3, "refused": True}]))
    code, _, err = unmirage("audit", data)
    assert (code, err) == (2, f"unmirage: {data}: record 3: field 'query' must be text, not 3\n")


def test_records_set_aside_in_a_test_file_make_it_partial_too(unmirage, write, rows):
    bad = write(rows, "bad.jsonl", more="{}\n{}\n")
    for option in ("--test", "--compare"):
        code, _, err = unmirage("audit", write(rows), option, bad, "--skip-bad")
        assert (code, err) == (4, "some data could not be read: 2 records of bad.jsonl skipped\n")


def test_a_gate_weighs_more_than_a_record_set_aside(unmirage, write, rows):
    code, _, err = unmirage("audit", write(rows, more="{"), "--skip-bad", "--fail-if", "shortcut_gap>0.2")
    assert code == 3
    assert "1 record of toy.jsonl skipped" in err


def test_a_byte_order_mark_and_repeated_ids_are_read_over(audited, tmp_path, rows):
    data = tmp_path / "bom.jsonl"
    data.write_text("".join(json.dumps(row | {"id": "1"}) + "\n" for row in rows), encoding="utf-8-sig")
    code, document, err = audited(data)
    assert (code, err) == (0, "")
    assert (document["n"], document["refused"], document["skipped"]["count"]) == (60, 30, 0)


def test_repeated_ids_survive_a_remedy(audited, write, mixed, tmp_path):
    target = tmp_path / "b.jsonl"
    data = write([row | {"id": "1"} for row in mixed])
    code, document, _ = audited(data, "--write-balanced", target)
    assert code == 0
    assert len(target.read_text().splitlines()) == document["remedies"]["balanced"]["n"]


@pytest.mark.parametrize(("name", "text"), [("empty.jsonl", ""), ("empty.json", "[]"), ("empty.csv", "")])
def test_an_empty_data_set_is_named(unmirage, tmp_path, name, text):
    data = tmp_path / name
    data.write_text(text)
    code, out, err = unmirage("audit", data)
    assert (code, out) == (2, "")
    assert err.startswith(f"unmirage: {data}: ")
    assert err.count("\n") == 1


def test_a_folder_and_a_missing_file_are_named(unmirage, tmp_path):
    for path, message in ((tmp_path, "is a folder; name the data file in it"), (tmp_path / "no.json", "no such file")):
        code, out, err = unmirage("audit", path)
        assert (code, out) == (2, "")
        assert err.startswith(f"unmirage: {path}: {message}")


@pytest.mark.parametrize("label", [True, False])
@pytest.mark.parametrize("count", [1, 30])
def test_one_label_only_is_counted_and_nothing_is_estimable(unmirage, write, rows, tmp_path, label, count):
    data = write([row | {"refused": label} for row in rows[:count]])
    page, table = tmp_path / "page.html", tmp_path / "findings.csv"
    code, out, err = unmirage("audit", data, "--html", page, "--csv", table)
    kind = "refused" if label else "answered"
    assert (code, "Traceback" in err) == (0, False)
    assert out.startswith("Not estimable: ")
    assert f"{kind}, so no rule can separate the labels." in out
    assert "nan" not in out.casefold()
    assert "not estimable" in page.read_text()
    code, out, _ = unmirage("audit", data, "--json")
    document = json.loads(out)
    assert (code, document["n"], document["refused"]) == (0, count, count if label else 0)
    assert document["shortcut_gap"] is None
    assert {one["test"] for one in document["predictability"].values()} == {None}


def test_a_gate_on_what_is_not_estimable_ends_with_2_after_the_result(unmirage, write, rows):
    code, out, err = unmirage("audit", write(rows[:30]), "--json", "--fail-if", "shortcut_gap>0.2")
    assert (code, json.loads(out)["n"]) == (2, 30)
    assert err == "unmirage: --fail-if: shortcut_gap is not estimable from these data\n"


@pytest.mark.parametrize("option", ["--write-balanced", "--write-diversified", "--write-weighted", "--write-twins"])
def test_data_with_one_label_have_no_remedy(unmirage, write, rows, tmp_path, option):
    code, out, err = unmirage("audit", write(rows[:30]), option, tmp_path / "new.jsonl")
    assert code == 2
    assert "toy.jsonl: all 30 queries are refused; to repair the data, add others to it" in err
    assert out.startswith("Not estimable: ")
    assert not (tmp_path / "new.jsonl").exists()


@pytest.mark.slow
def test_odd_text_reaches_every_output_whole_and_nowhere_acts(unmirage, write, tmp_path):
    records = [{"query": text, "refused": n < 6, "answer": text} for text in ODD.values() for n in range(12)]
    data, page, table = write(records), tmp_path / "page.html", tmp_path / "findings.csv"
    code, out, err = unmirage("audit", data, "--html", page, "--csv", table, "--test", data, "--compare", data)
    assert (code, "Traceback" in err) == (0, False)
    html = page.read_text(encoding="utf-8")
    for shown in (out, err, html, table.read_text(encoding="utf-8")):
        assert not set(shown) & set("\x00\x07\x1b\u202e\ud800")
        assert "x" * 5000 not in shown
    assert html.endswith("</html>")
    assert "<script>alert(1)" not in html
    with table.open(newline="", encoding="utf-8") as file:
        assert all(len(row) == 19 for row in csv.reader(file))
    code, out, _ = unmirage("audit", data, "--json")
    document = json.loads(out)
    assert (code, document["n"], document["refused"]) == (0, 108, 54)
    assert {one["opener"] for one in document["openers"]} >= {"x" * 1_000_000}


def test_queries_without_a_word_are_counted(audited, write):
    code, document, _ = audited(write([{"query": "?!", "refused": n % 2} for n in range(40)]))
    assert (code, document["n"], document["openers"]) == (0, 40, [])


@pytest.mark.slow
def test_ctrl_c_in_the_middle_ends_with_130_and_leaves_nothing(write, rows, tmp_path):
    (tmp_path / "1.png").write_bytes(b"never read")
    data = write([row | {"image": "1.png"} for row in rows])
    command = [sys.executable, "-c", INTERRUPTED, "audit", data, "--html", tmp_path / "page.html"]
    environment = {**os.environ, "TERM": "dumb", "NO_COLOR": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr.startswith("unmirage: interrupted")
    assert ended.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.png", "toy.jsonl"]
