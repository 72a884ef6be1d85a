"""`unmirage study relearn` on a small study: a seed by itself, then all of them, on the terminal and in files."""

import json

import pytest

from unmirage.align import AlignConfig, NpoConfig
from unmirage.evaluate.robustness import RelearnConfig
from unmirage.testbed.methods_settings import MethodsSettings, RowSettings
from unmirage.testbed.relearn import RelearnSettings

FAST = {"learning_rate": 1e-3, "batch_size": 8, "steps": 2}


@pytest.fixture
def study(unmirage, small_study, monkeypatch, tmp_path):
    rows = {
        "base": RowSettings(family="base", config=None),
        "npo": RowSettings(family="unlearning", config=AlignConfig(method=NpoConfig(), **FAST)),
    }
    settings = RelearnSettings(
        methods=MethodsSettings(study=small_study.model_copy(update={"models": {}}), rows=rows),
        models=("npo",),
        data=("forget",),
        samples=(0, 2),
        relearning=RelearnConfig(**FAST),
    )
    monkeypatch.setattr("unmirage.testbed.relearn.RelearnSettings", lambda: settings)
    return lambda *args: unmirage("study", "relearn", "--out", tmp_path / "out", *args)


def test_a_seed_by_itself_and_then_the_tables(study, tmp_path):
    code, out, err = study("--seed", "0", "--signal", "0.5")
    assert (code, out) == (0, ""), err
    assert "Seed 0 is finished" in err
    assert "seed 0: npo + forget 2: align: 2 steps in" in err

    keep, page = tmp_path / "kept.json", tmp_path / "relearning.md"
    code, out, err = study("--seeds", "1", "--signal", "0.5", "--json", "--keep", keep, "--write", page)
    assert code == 0, err
    assert "seed 0: " not in err  # finished before
    document = json.loads(out)
    assert document == json.loads(keep.read_text()) == json.loads((tmp_path / "out" / "relearning.json").read_text())
    assert {row["of"] for row in document["rows"]} == {"base", "npo"}
    assert "| npo | forget |" in page.read_text()

    assert document["settings"]["methods"]["study"]["world"]["signal"] == 0.5

    code, out, err = study("--seeds", "1", "--signal", "0.5")
    assert code == 0, err
    assert "npo + forget 2" in out
    assert "fine-tuned on" in out


def test_an_unknown_model_is_named_with_those_there_are(study):
    code, _, err = study("--seeds", "1", "--models", "npo2")
    assert code == 2
    assert "unknown row 'npo2'" in err
    assert "base, npo" in err
