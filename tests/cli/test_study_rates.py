"""`unmirage study rates` on a small study: JSON on stdout, files, a table, and nothing trained twice."""

import json

import pytest

from unmirage.testbed.settings import ARMS


@pytest.fixture
def study(unmirage, small_study, monkeypatch, tmp_path):
    """Return a function that runs the command, and what it asked for: arms and signal of the study."""
    asked = []

    def settings(arms, signal):
        asked.append((arms, signal))
        models = {"sft-posthoc": small_study.models["sft-posthoc"]}
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
    assert "sft-posthoc@0.0001: align: 4 steps in" in err
    document = json.loads(out)
    assert document == json.loads(keep.read_text()) == json.loads((tmp_path / "out" / "rates.json").read_text())
    assert (document["schema"], document["budget"], list(document["arms"])) == ("unmirage.rates/1", 2, ["sft-posthoc"])
    assert document["chosen"]["sft-posthoc"] in [one["learning_rate"] for one in document["arms"]["sft-posthoc"]]
    assert {"commit", "machine", "settings", "seeds"} <= set(document)
    text = page.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("After.\n")
    assert "| sft-posthoc | 0.0001" in text
    assert "old" not in text

    code, out, err = run()
    assert code == 0, err
    assert "align" not in err  # judged before
    assert "sft-posthoc" in out
    assert f"{document['chosen']['sft-posthoc']:g} *" in out
