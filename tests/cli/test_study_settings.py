"""`unmirage study settings` on a small study: JSON on stdout, files, a table, and nothing trained twice."""

import json

import pytest

ARM = "sft-diversified-mixed"  # the longest name


@pytest.fixture
def study(unmirage, small_study, monkeypatch, tmp_path):
    """Return a function that runs the command on one arm with four candidates, and the signals that it asked for."""
    asked = []

    def settings(arms, signal):
        asked.append((arms, signal))
        return small_study

    monkeypatch.setattr("unmirage.testbed.settings.study_settings", settings)
    monkeypatch.setattr("unmirage.testbed.settings.STARTS", {ARM: small_study.models["sft-posthoc"]})
    monkeypatch.setattr("unmirage.testbed.settings_search.RATES", 2)
    monkeypatch.setattr("unmirage.testbed.settings_search.OTHER_SETTINGS", {"sft": ({"steps": 2},)})
    return lambda *args: unmirage("study", "settings", "--out", tmp_path / "out", "--workers", "1", *args), asked


def test_the_search_its_files_and_its_table(study, tmp_path):
    run, asked = study
    keep, page = tmp_path / "kept.json", tmp_path / "study.md"
    page.write_text("Before.\n<!-- settings table: begin -->\nold\n<!-- settings table: end -->\nAfter.\n")
    code, out, err = run("--json", "--keep", keep, "--write", page, "--signal", "0.25")
    assert code == 0, err
    assert asked == [((), 0.25)]
    assert f"{ARM}@0.0001: align: 4 steps in" in err
    document = json.loads(out)
    assert document == json.loads(keep.read_text()) == json.loads((tmp_path / "out" / "settings.json").read_text())
    assert (document["schema"], list(document["arms"])) == ("unmirage.settings-search/1", [ARM])
    assert document["chosen"][ARM] in [one["change"] for one in document["arms"][ARM]]
    assert {"commit", "machine", "settings", "seeds"} <= set(document)
    text = page.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("After.\n")
    assert f"| {ARM} | 0.0001" in text
    assert "old" not in text

    code, out, err = run()
    assert code == 0, err
    assert "align" not in err  # judged before
    rows = [line for line in out.splitlines() if ARM in line]
    assert len(rows) == 4
    (starred,) = [line for line in out.splitlines() if " * " in line]
    assert f"{document['chosen'][ARM]['learning_rate']:g}" in starred
    assert max(map(len, out.splitlines())) <= 80
