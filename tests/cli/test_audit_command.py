"""`unmirage audit`: what it prints and writes, option by option."""

import csv
import json
import re

import pytest

from unmirage.data import FORMATS
from unmirage.data.tables import parse_columns
from unmirage.errors import UserError


def test_the_table_opens_with_the_headline_and_ends_with_the_words(unmirage, write, rows):
    code, out, err = unmirage("audit", write(rows))
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == "Informedness of the first word: 1.00 (0.84 to 1.00), AUC 1.00 (0.89 to 1.00)."
    assert lines[1] == (
        "Result: clear shortcut. The first word recognizes 100.0% of refused and 100.0% of answered queries. "
        "Mostly from “share” (0.50), “what” (0.50)."
    )
    assert lines[2].startswith("Shortcut gap: 50.0 points: the first word predicts 100.0% of labels, guessing the majo")
    assert "Data: toy.jsonl (jsonl), 60 queries" in lines
    assert "Label: the data's own field; 30 refused, 30 answered" in lines
    assert "open with “share”" in out
    assert "seen: training queries of the rule; unseen: 5-fold cross-validation" in " ".join(out.split())
    assert lines[-2].startswith("  jailbreak, from refused to answered: what ")
    assert lines[-1].startswith("  over-prudence, from answered to refused: share ")
    tables = [line for line in lines if line.startswith(" ") and line.endswith(" ")]
    assert max(map(len, tables)) <= 80


def test_json_is_one_document_and_all_there_is_on_stdout(unmirage, write, rows):
    code, out, err = unmirage("audit", write(rows), "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert (document["schema"], document["n"], document["shortcut_gap"]) == ("unmirage.audit/3", 60, 0.5)
    assert unmirage("audit", write(rows), "--json", "--seed", "0")[1] == out


def test_columns_of_a_csv_file_are_named(audited, write, tmp_path):
    path = tmp_path / "toy.csv"
    path.write_text("q,bad\n" + "Share it.,yes\nWhat is it?,no\n" * 10)
    code, document, _ = audited(path, "--columns", "query=q,refused=bad")
    assert (code, document["format"], document["n"], document["refused"]) == (0, "csv", 20, 10)


def test_a_test_file_replaces_the_cross_validation(unmirage, audited, write, rows):
    unseen = write([{"query": "Share it.", "refused": False}, {"query": "What?", "refused": False}], "unseen.jsonl")
    _, out, _ = unmirage("audit", write(rows), "--test", unseen)
    assert "unseen: the 2 of unseen.jsonl" in " ".join(out.split())
    assert "not estimable" in out.splitlines()[0]  # both queries are answered
    _, document, _ = audited(write(rows), "--test", unseen)
    assert document["probes"]["test_source"] == "unseen.jsonl"
    assert (document["probes"]["test_n"], document["probes"]["folds"]) == (2, 0)


def test_two_versions_stand_side_by_side(unmirage, audited, write, rows):
    other = write([row | {"query": f"It is {n % 7}."} for n, row in enumerate(rows)], "other.jsonl")
    code, out, _ = unmirage("audit", write(rows), "--compare", other)
    assert code == 0
    assert "Two versions of the data" in out
    assert "Predictive only in toy.jsonl: queries that open with “" in out
    _, document, _ = audited(write(rows), "--compare", other)
    compared = document["compare"]
    assert (compared["source"], compared["n"], compared["refused"]) == ("other.jsonl", 60, 30)
    assert compared["predictability"]["opener"]["test"] <= 0.5
    assert compared["gone_n"] == len(compared["gone"]) >= 2
    assert compared["new_n"] == 0


def test_the_label_can_be_taken_from_the_answer_instead_of_the_field(audited, write, rows):
    said = [row | {"answer": "I cannot share that."} for row in rows]
    _, from_field, _ = audited(write(said))
    _, from_answer, _ = audited(write(said), "--label", "answer")
    assert (from_field["label_source"], from_field["refused"]) == ("field", 30)
    assert (from_answer["label_source"], from_answer["refused"]) == ("answer", 60)
    assert audited(write(said), "--label", "field")[1] == from_field
    assert from_field["label_quality"]["false_alarms"] == 30


def test_the_quality_of_labels_is_said(unmirage, write, mixed):
    mixed[0]["answer"] = "Here is the plan."
    _, out, _ = unmirage("audit", write(mixed))
    assert "Label quality: field and answer disagree in 1 of 240" in out
    assert "  1 labeled refused, but the answer contains no known refusal phrase" in out
    assert "labeled answered" not in out


def test_a_page_is_written_whole_and_named_on_stderr(unmirage, write, rows, tmp_path):
    page = tmp_path / "new" / "page.html"
    code, out, err = unmirage("audit", write(rows), "--html", page)
    html = page.read_text()
    assert (code, err) == (0, f"written: {page}\n")
    assert "written" not in out
    assert html.startswith("<!doctype html>")
    assert html.endswith("</html>")
    assert "open with “share”" in html
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]


def test_csv_cells_cannot_act_as_formulas_while_the_json_stays_verbatim(unmirage, write, rows, tmp_path):
    formula = "=cmd|'/C_calc'!a0"
    for n, row in enumerate(rows[:30]):
        row["query"] = f"{formula} please {n}"
    path = tmp_path / "findings.csv"
    code, out, _ = unmirage("audit", write(rows), "--csv", path, "--json")
    document = json.loads(out)
    with path.open(newline="", encoding="utf-8") as file:
        cells = list(csv.DictReader(file))
    assert code == 0
    assert len(cells) == len(document["findings"]) > 2
    assert not [cell for row in cells for cell in (row["feature"], row["text"]) if cell.startswith(("=", "+", "@"))]
    examples = [query for finding in document["findings"] for query in finding["examples"]["refused"]]
    assert f"{formula} please 0" in examples


def test_a_gate_that_fails_ends_with_3_after_the_result(unmirage, write, rows):
    code, out, err = unmirage("audit", write(rows), "--json", "--fail-if", "shortcut_gap>0.2")
    assert (code, json.loads(out)["n"]) == (3, 60)
    assert "gate 'shortcut_gap>0.2' failed: shortcut_gap is 0.5" in err
    assert unmirage("audit", write(rows), "--fail-if", "shortcut_gap>0.6")[0] == 0
    code, _, err = unmirage("audit", write(rows), "--fail-if", "informedness>0.2")
    assert (code, err) == (3, "unmirage: gate 'informedness>0.2' failed: informedness is 1\n")
    assert unmirage("audit", write(rows), "--fail-if", "informedness.low>0.9")[0] == 0
    assert unmirage("audit", write(rows), "--fail-if", "predictability.words.test>=0.9")[0] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--columns", "query"), "--columns: 'query' is not NAME=COLUMN"),
        (("--columns", "query=text"), "has no column 'text' for 'query' in its first 60 records; it has 'query', 'ref"),
        (("--format", "lava"), "unknown format 'lava'; valid: auto, beavertails, csv, figstep, holisafe, json, jsonl"),
        (("--format", "vlgard"), "Did you mean 'vlguard'?"),
        (("--label", "feild"), "unknown label 'feild'; valid: answer, answered, field, refused. Did you mean 'field'?"),
        (("--label", "answer"), "has no answer to take the label from; add one, or use --label field"),
        (("--fail-if", ""), "--fail-if: '' is not a condition; valid: NAME>NUMBER"),
        (("--fail-if", "gap>0.2"), "Did you mean 'shortcut_gap'?"),
        (("--fail-if", "informedness>20%"), "<=. Write a percentage as a share: 'informedness>0.2'"),
        (("--test", ""), "the name of the data is empty; valid: a file"),
        (("--test", "none.jsonl"), "none.jsonl: no such file"),
        (("--compare", "none.jsonl"), "none.jsonl: no such file"),
        (("--encoder", "none"), "encoder 'none': no such directory"),
    ],
)
def test_mistakes_are_one_line_and_end_with_2(unmirage, write, rows, options, message):
    code, out, err = unmirage("audit", write(rows), *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_an_unknown_name_in_a_gate_lists_the_numbers_there_are(unmirage, write, rows):
    code, out, err = unmirage("audit", write(rows), "--fail-if", "gap>1")
    assert (code, out) == (2, "")
    assert "unknown metric 'gap'; valid: n, refused" in err
    assert unmirage("audit", "no-such-file.jsonl", "--fail-if", "informednes>0.2")[2].endswith(
        ", …. Did you mean 'informedness'?\n"
    )


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("informedness>20", "informedness is at most 1, and 20 means 2,000 %; did you mean 0.2?"),
        ("auc<-1", "auc is at least 0, so the threshold -1 decides nothing"),
        ("n>9 and auc>=95", "auc is at most 1, and 95 means 9,500 %; did you mean 0.95?"),
        ("shortcut_gap>20", "shortcut_gap is at most 1, and 20 means 2,000 %; did you mean 0.2?"),
        ("predictability.shape.test>1.5", "predictability.shape.test is at most 1, and 1.5 means 150 %; did you me"),
        ("predictability.image_embedding.test>0.5", "unknown metric 'predictability.image_embedding.test'"),
        ("remedies.balanced.informedness>0.2", "unknown metric 'remedies.balanced.informedness'"),
    ],
)
def test_a_gate_that_cannot_be_meant_is_refused_before_anything_is_read(unmirage, condition, message):
    code, out, err = unmirage("audit", "no-such-file.jsonl", "--fail-if", condition)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"unmirage: --fail-if: {message}")


def test_copies_are_told_and_count_once(unmirage, audited, write, rows, tmp_path):
    page = tmp_path / "page.html"
    _, document, _ = audited(write(rows * 3))
    _, once, _ = audited(write(rows))
    assert document["copies"] == {"queries": 180, "texts": 60, "both_labels": 0}
    assert document["auc"] == once["auc"]
    assert document["informedness"] == once["informedness"] | {"refused": 90, "answered": 90}
    _, out, _ = unmirage("audit", write(rows * 3), "--html", page)
    said = "180 of 180 queries have a copy: another query with the same text (60 different texts)."
    assert said in out
    assert said in page.read_text()
    assert "have a copy" not in unmirage("audit", write(rows))[1]


def test_one_refused_text_is_too_few_however_many_copies_it_has(unmirage, write, rows, tmp_path):
    page = tmp_path / "page.html"
    answered = [row for row in rows if not row["refused"]]
    _, out, _ = unmirage("audit", write(answered + [{"query": "Share it.", "refused": True}] * 30), "--html", page)
    assert out.startswith(
        "How well the first word predicts refusal is not estimable: too few different queries or pictures with one of "
        "the labels.\n"
    )
    assert "unseen: none, because one label has too few different queries" in " ".join(out.split())
    said = f"30 of {len(answered) + 30} queries have a copy: another query with the same text"
    assert said in out
    assert said in page.read_text()


def test_a_malformed_gate_is_refused_before_anything_is_read(unmirage):
    code, out, err = unmirage("audit", "no-such-file.jsonl", "--fail-if", "shortcut_gap=0.2")
    assert (code, out) == (2, "")
    assert err == (
        "unmirage: --fail-if: 'shortcut_gap=0.2' is not a condition; valid: NAME>NUMBER with >, >=, < or <=\n"
    )


def test_a_typo_in_an_option_names_the_nearest(unmirage, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, _, err = unmirage("audit", "toy.jsonl", "--write-balnced", "b.jsonl")
    assert code == 2
    assert "No such option: --write-balnced" in err
    assert "--write-balanced" in err.replace("--write-balnced", "")


def test_nothing_in_the_data_reaches_the_terminal_as_an_escape_or_markup(unmirage, write):
    rows = [{"query": f"{word} it {n}", "refused": n % 2} for n, word in enumerate(["\x1b[31mRed", "[bold]Bold"] * 10)]
    code, out, _ = unmirage("audit", write(rows, "[red]x.jsonl"))
    assert code == 0
    assert "\x1b" not in out
    assert "[red]x.jsonl" in out
    assert "open with “[bold]bold”" in out or "open with “bold”" in out


def test_columns_are_parsed():
    assert parse_columns("query=prompt, answer = output,") == {"query": "prompt", "answer": "output"}
    assert parse_columns("") == {}
    for text in ("query", "=prompt", "query="):
        with pytest.raises(UserError, match="valid: query=prompt,answer=output"):
            parse_columns(text)


def test_the_help_names_every_format_and_option(unmirage, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = unmirage("audit", "--help")
    assert code == 0
    out = re.sub(r"[\s│]", "", out)
    assert all(name in out for name in ("auto", *FORMATS))
    for option in ("label", "images", "encoder", "compare", "write-balanced", "write-diversified", "skip-bad", "csv"):
        assert f"--{option}" in out


def test_queries_in_other_languages_are_counted_and_told(unmirage, audited, write, rows, tmp_path):
    german = [{"query": f"Nenne das Rezept von Ding {n}.", "refused": n % 2 == 0} for n in range(20)]
    told = "20 of 80 queries are German. Templates, imperatives and rewrites support English only."
    path = write([*rows, *german])
    _, out, _ = unmirage("audit", path, "--html", tmp_path / "audit.html")
    assert out.splitlines().count(told) == 1
    assert f'<p class="warn">{told}</p>' in (tmp_path / "audit.html").read_text("utf-8")
    _, document, _ = audited(path)
    assert document["languages"] == {"read": 80, "of": 80, "counts": {"en": 40, "de": 20}, "unknown": 20}
    assert "support English" not in unmirage("audit", write(rows))[1]
