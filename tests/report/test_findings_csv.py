import csv
import io

import pytest

from unmirage.report.audit_page import findings_csv


def finding(feature="share", position="opener", **changes):
    return {
        "feature": feature, "position": position, "kind": "word", "text": f"open with “{feature}”", "refused": 9,
        "answered": 1, "refused_once": 7, "answered_once": None,
        "log_odds": -2.5, "low": -3.0, "high": -2.0, "p_value": 1e-9, "q_value": 1e-8,
        "direction": "answer", "given_opener": None, "redundant_with": None, "headline": True,
        "examples": {"refused": ["Share it."], "answered": []},
    } | changes  # fmt: skip


def rows(*findings):
    return list(csv.DictReader(io.StringIO(findings_csv({"findings": findings}), newline="")))


def test_a_finding_is_one_line_with_a_column_for_every_figure():
    (row,) = rows(finding())
    assert row == {
        "kind": "word", "position": "opener", "feature": "share", "text": "open with “share”", "refused": "9",
        "answered": "1", "refused_once": "7", "answered_once": "",
        "log_odds": "-2.5", "low": "-3.0", "high": "-2.0", "p_value": "1e-09", "q_value": "1e-08",
        "direction": "answer", "given_opener_log_odds": "", "given_opener_low": "", "given_opener_high": "",
        "redundant_with": "", "headline": "True",
    }  # fmt: skip


def test_what_is_nested_is_laid_flat():
    given = {"log_odds": 0.5, "low": 0.1, "high": 0.9}
    echoes = [{"feature": "can", "position": "opener"}, {"feature": "it", "position": -1}]
    found = rows(*(finding(given_opener=given, redundant_with=echo) for echo in echoes))
    assert [row["redundant_with"] for row in found] == ["opener: can", "'-1: it"]
    assert {(row["given_opener_log_odds"], row["given_opener_low"], row["given_opener_high"]) for row in found} == {
        ("0.5", "0.1", "0.9")
    }


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_what_a_spreadsheet_takes_for_a_formula_is_prefixed(text):
    (row,) = rows(finding(text, text=text))
    assert (row["feature"], row["text"]) == (f"'{text}", f"'{text}")


def test_a_formula_behind_something_invisible_is_prefixed_too():
    (row,) = rows(finding("\x00=1", text="\u202e\r=2"))
    assert (row["feature"], row["text"]) == ("'=1", "'=2")


def test_numbers_stay_numbers_and_the_document_stays_verbatim():
    document = {"findings": [finding("=1")]}
    assert findings_csv(document).splitlines()[1].startswith("word,opener,'=1,open with “=1”,9,1,7,,-2.5,-3.0,")
    assert document["findings"][0]["feature"] == "=1"


def test_line_breaks_quotes_and_lone_surrogates_do_not_break_the_table():
    odd = 'a"b,c\nd\x1b[31m\ud800e'
    (row,) = rows(finding(odd))
    assert row["feature"] == 'a"b,c\nde'
    findings_csv({"findings": [finding(odd)]}).encode("utf-8")


def test_a_word_of_a_megabyte_is_cut_to_what_a_cell_holds():
    (row,) = rows(finding("x" * 1_000_000))
    assert row["feature"] == "x" * 2000 + " … (998,000 more characters)"


def test_without_findings_there_is_a_header():
    assert findings_csv({"findings": []}).startswith("kind,position,feature,text,refused,")
    assert rows() == []
