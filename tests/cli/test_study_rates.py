"""`unmirage study rates` on a small study: JSON on stdout, files, a table, and nothing trained twice."""

import json

import pytest

from unmirage.testbed.settings import ARMS

ARM = "sft-diversified-mixed"  # the longest name


@pytest.fixture
def study(unmirage, small_study, monkeypatch, tmp_path):
    """Return a function that runs the command, and what it asked for: arms and signal of the study."""
    asked = []

    def settings(arms, signal):
        asked.append((arms, signal))
        models = {ARM: small_study.models["sft-posthoc"]}
        return small_study.model_copy(update={"models": models})

    monkeypatch.setattr("unmirage.testbed.settings.study_settings", settings)
    monkeypatch.setattr("unmirage.testbed.rates.BUDGET", 2)
    return lambda *args: unmirage("study", "rates", "--out", tmp_path / "out", "--workers", "1", *args), asked


def test_the_search_its_files_and_its_table(study, tmp_path):
    run, asked = study
    keep, page = tmp_path / "kept.json", tmp_path / "study.md"
    page.write_text("Before.\n<!-- rates table: begin -->\nold\n<!-- rates table: end -->\nAfter.\n")
    code, out, err = run("--json", "--keep", keep, "--write", page, "--signal", "0.25")
    assert code == 0, err
    assert asked == [(list(ARMS), 0.25)]
    assert f"{ARM}@0.0001: align: 4 steps in" in err
    document = json.loads(out)
    assert document == json.loads(keep.read_text()) == json.loads((tmp_path / "out" / "rates.json").read_text())
    assert (document["schema"], document["budget"], list(document["arms"])) == ("unmirage.rates/1", 2, [ARM])
    assert document["chosen"][ARM] in [one["learning_rate"] for one in document["arms"][ARM]]
    assert {"commit", "machine", "settings", "seeds"} <= set(document)
    text = page.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("After.\n")
    assert f"| {ARM} | 0.0001" in text
    assert "old" not in text

    code, out, err = run()
    assert code == 0, err
    assert "align" not in err  # judged before
    rows = [line.split() for line in out.splitlines() if ARM in line]
    assert len(rows) == 2
    assert [row[1] for row in rows if row[2] == "*"] == [f"{document['chosen'][ARM]:g}"]
    assert max(map(len, out.splitlines())) <= 80
