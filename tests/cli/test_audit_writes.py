"""`unmirage audit --write-balanced`, `--write-diversified`, `--html`, `--csv`: nothing of the user's is lost."""

import errno
import json
import os

import pytest

from unmirage.data import SampleFile, load_samples
from unmirage.run import files

WRITES = ("--write-balanced", "--write-diversified", "--write-weighted", "--write-twins", "--html", "--csv")


@pytest.mark.parametrize("ending", [".jsonl", ".json"])
def test_remedies_are_written_load_again_and_their_openers_tell_nothing(unmirage, audited, write, mixed, ending):
    data = write(mixed)
    balanced, diversified = data.with_name(f"balanced{ending}"), data.with_name(f"diversified{ending}")
    before = data.read_bytes()
    code, document, err = audited(data, "--write-balanced", balanced, "--write-diversified", diversified)
    assert (code, err) == (0, "")
    assert data.read_bytes() == before
    remedies = document["remedies"]
    assert (remedies["balanced"]["file"], remedies["balanced"]["changed"]) == (balanced.name, 0)
    assert (remedies["diversified"]["n"], remedies["diversified"]["dropped"]) == (240, 0)
    # "can" and "what" have 20 queries of the rarer label, and the majority of all is half.
    assert remedies["balanced"]["n"] == len(load_samples(balanced)) == 240 - remedies["balanced"]["dropped"]
    assert 80 <= remedies["balanced"]["n"] < 240
    assert len(load_samples(diversified)) == 240
    for path in (balanced, diversified):
        _, again, _ = audited(path)
        rule = again["predictability"]["opener"]
        assert rule["test"] <= rule["baseline"] + 0.05
        assert again["shortcut_gap"] == pytest.approx(document["remedies"][path.stem]["shortcut_gap"])
    assert document["predictability"]["opener"]["test"] > 0.8


def test_the_table_puts_the_remedies_beside_the_data(unmirage, write, mixed):
    data = write(mixed)
    targets = ("--write-balanced", data.with_name("b.jsonl"), "--write-diversified", data.with_name("d.jsonl"))
    code, out, _ = unmirage("audit", data, *targets)
    lines = {line.split("  ")[0].strip(): line.split() for line in out.splitlines()}
    assert code == 0
    assert "Audit of the repaired versions" in out
    assert lines["written to"][-2:] == ["b.jsonl", "d.jsonl"]
    assert lines["shortcut gap, points"][3] == "33.3"
    assert lines["informedness"] == ["informedness", "0.67", "0.00", "0.00"]
    assert lines["AUC"][1] == "0.83"


def test_twins_weights_and_a_budget_are_told_on_the_terminal_in_json_and_on_the_page(unmirage, write, mixed, tmp_path):
    data, page = write(mixed), tmp_path / "a.html"
    targets = ("--write-balanced", tmp_path / "b.jsonl", "--balanced-size", 20, "--balanced-refused", 0.1)
    targets += ("--write-weighted", tmp_path / "w.jsonl", "--write-twins", tmp_path / "t.jsonl", "--html", page)
    code, out, _ = unmirage("audit", data, *targets)
    note = "keeps only 20 of 240 queries and 90.0% of its 20 queries are answered (of the original: 50.0%)"
    assert code == 0
    assert f"Balanced: {note}. --write-twins keeps all queries" in out
    assert note in page.read_text()
    lines = {line.split("  ")[0].strip(): line.split() for line in out.splitlines()}
    assert lines["queries"] == ["queries", "240", "20", "240", "400"]
    assert lines["added as twins"][-3:] == ["0", "0", "160"]
    assert lines["informedness"][1:] == ["0.67", "0.00", "0.00", "0.00"]
    document = json.loads(unmirage("audit", data, *targets, "--json")[1])["remedies"]
    assert document["balanced"]["notes"][0].startswith(note)
    assert (document["twins"]["added"], document["twins"]["notes"]) == (160, [])
    assert document["weighted"]["weights"]["refused"] == pytest.approx(0.5)
    assert document["weighted"]["weights"]["zero"] == 120
    for name in ("b", "w", "t"):
        again = json.loads(unmirage("audit", tmp_path / f"{name}.jsonl", "--json")[1])["informedness"]
        assert abs(again["value"]) < 0.05 or name == "w"


def test_with_a_test_file_the_table_says_that_all_columns_are_measured_on_it(unmirage, write, mixed, rows, tmp_path):
    page = tmp_path / "a.html"
    options = ("--write-balanced", tmp_path / "b.jsonl", "--html", page)
    code, out, _ = unmirage("audit", write(mixed), "--test", write(rows, "held.jsonl"), *options)
    assert code == 0
    assert "all measured on held.jsonl" in " ".join(out.split())
    assert "All columns are measured on <bdi>held.jsonl</bdi>." in page.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--balanced-size", "20"), "--balanced-size: needs --write-balanced FILE"),
        (("--weighted-max", "2"), "--weighted-max: needs --write-weighted FILE"),
        (("--twins-per-row", "2"), "--twins-per-row: needs --write-twins FILE"),
        (("--twins-rewriter", "endpoint:http://x#m"), "--twins-rewriter: needs --write-twins FILE"),
        (("--write-balanced", "b.jsonl", "--balanced-size", "half"), "--balanced-size half: valid: a number of rows"),
        (("--write-balanced", "b.jsonl", "--balanced-size", "1.5"), "--balanced-size 1.5: valid: a number of rows"),
        (("--write-balanced", "b.jsonl", "--balanced-refused", "2"), "--balanced-refused 2: valid: a share between"),
        (("--write-twins", "t.jsonl", "--twins-rewriter", "magic"), "unknown rewriter 'magic'"),
    ],
)
def test_settings_of_remedies_are_checked_before_the_data_are_read(unmirage, options, message):
    code, out, err = unmirage("audit", "no-such-file.jsonl", *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("option", WRITES)
def test_an_input_is_never_overwritten(unmirage, write, rows, option):
    data, test = write(rows), write(rows, "test.jsonl")
    link = data.with_name("link.jsonl")
    link.symlink_to(data)
    before = data.read_bytes()
    for target in (data, data.parent / "x" / ".." / data.name, link, test):
        code, out, err = unmirage("audit", data, "--test", test, option, target)
        assert (code, out) == (2, "")
        assert err == (f"unmirage: {option}: {target} is an input file and would be overwritten; name another file\n")
    assert data.read_bytes() == test.read_bytes() == before


@pytest.mark.parametrize("name", ["new.csv", "new", "new.json.gz", "new.parquet"])
def test_an_ending_that_cannot_be_written_is_refused_before_the_work(
    unmirage, write, rows, tmp_path, name, monkeypatch
):
    monkeypatch.delattr(SampleFile, "__iter__")  # reading would fail
    code, out, err = unmirage("audit", write(rows), "--write-diversified", tmp_path / name)
    assert (code, out) == (2, "")
    assert f"{name}: unknown suffix; valid: .jsonl, .json" in err
    assert [path.name for path in tmp_path.iterdir()] == ["toy.jsonl"]


def test_targets_that_cannot_be_are_refused_before_anything_is_read(unmirage, tmp_path):
    file = tmp_path / "file"
    file.write_text("kept")
    for options, message in (
        (("--html", tmp_path), f"--html: {tmp_path} is a folder; name a file"),
        (("--csv", file / "x.csv"), f"{file} is not a writable folder"),
        (
            ("--html", tmp_path / "x.json", "--write-balanced", f"{tmp_path}/./x.json"),
            f"--html: {tmp_path}/x.json is also given to --write-balanced",
        ),
    ):
        code, out, err = unmirage("audit", "no-such-file.jsonl", *options)
        assert (code, out) == (2, "")
        assert message in err
        assert err.count("\n") == 1
    assert file.read_text() == "kept"


def test_a_folder_that_may_not_be_written_to_is_named_before_the_work(unmirage, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    code, _, err = unmirage("audit", "no-such-file.jsonl", "--html", tmp_path / "page.html")
    assert code == 2
    assert f"{tmp_path}/page.html cannot be written: {tmp_path} is not a writable folder" in err


@pytest.mark.parametrize("option", WRITES)
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_fails_names_the_file_leaves_nothing_and_keeps_the_result(
    unmirage, write, mixed, tmp_path, monkeypatch, option, error
):
    def fail(handle):
        raise OSError(error, os.strerror(error))

    data, target = write(mixed), tmp_path / "new.jsonl"
    monkeypatch.setattr(files.os, "fsync", fail)
    code, out, err = unmirage("audit", data, option, target, "--json")
    assert code == 2
    assert err == f"unmirage: {target}: cannot be written ({os.strerror(error)}); no file was written\n"
    assert json.loads(out)["n"] == 240
    assert [path.name for path in tmp_path.iterdir()] == ["toy.jsonl"]


def test_what_stood_at_the_target_is_replaced_only_by_a_whole_page(unmirage, write, rows, tmp_path, monkeypatch):
    page = tmp_path / "page.html"
    page.write_text("the page of last week")
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        assert unmirage("audit", write(rows), "--html", page)[0] == 2
    assert page.read_text() == "the page of last week"
    assert unmirage("audit", write(rows), "--html", page)[0] == 0
    assert page.read_text().startswith("<!doctype html>")


def test_data_that_cannot_be_balanced_are_told_after_what_was_found(unmirage, write, rows, tmp_path):
    code, out, err = unmirage("audit", write(rows), "--write-balanced", tmp_path / "b.jsonl")
    assert code == 2
    assert "toy.jsonl: no opener has both refused and answered queries, so balancing would drop everything" in err
    assert out.startswith("Informedness of the first word: 1.00 (0.84 to 1.00)")
    assert not (tmp_path / "b.jsonl").exists()


def test_a_bad_file_to_compare_with_takes_nothing_from_the_result(unmirage, write, rows):
    bad = write(rows * 20, "bad.jsonl", more='{"query": 7, "refused": true}\n')
    code, out, err = unmirage("audit", write(rows), "--compare", bad)
    assert code == 2
    assert "bad.jsonl: line 1201: field 'query' must be text, not 7" in err
    assert "open with “share”" in out
