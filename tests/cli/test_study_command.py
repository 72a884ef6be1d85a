"""`unmirage study methods` on a small study: seeds by themselves, then all of them in one table."""

import json

import pytest
import yaml

from unmirage.align import AlignConfig
from unmirage.testbed.methods_settings import MethodsSettings, RowSettings

FAST = AlignConfig(learning_rate=1e-3, batch_size=8, steps=2)


@pytest.fixture
def study(unmirage, small_study, monkeypatch, tmp_path):
    settings = MethodsSettings(
        study=small_study.model_copy(update={"models": {}}),
        rows={
            "base": RowSettings(family="base", config=None),
            "sft-posthoc": RowSettings(family="sft", config=FAST, data="sft-posthoc"),
            "sft-mixed": RowSettings(family="sft", config=FAST, data="sft-mixed"),
        },
    )
    monkeypatch.setattr("unmirage.testbed.methods_settings.MethodsSettings", lambda: settings)
    return lambda *args: unmirage("study", "methods", "--out", tmp_path / "out", *args)


def test_seeds_by_themselves_and_then_the_table_of_all(study, tmp_path):
    code, out, err = study("--seed", "1", "--only", "sft-posthoc")
    assert (code, out) == (0, ""), err
    assert "Seed 1 is finished" in err
    assert "seed 1: sft-posthoc: align: 2 steps in" in err
    assert not (tmp_path / "out" / "methods.json").exists()

    keep, page = tmp_path / "kept.json", tmp_path / "results.md"
    code, out, err = study("--seeds", "2", "--only", "sft-posthoc", "--json", "--keep", keep, "--write", page)
    assert code == 0, err
    assert "seed 1: " not in err  # finished before
    document = json.loads(out)
    assert document == json.loads(keep.read_text()) == json.loads((tmp_path / "out" / "methods.json").read_text())
    assert (document["seeds"], [row["name"] for row in document["rows"]]) == ([0, 1], ["base", "sft-posthoc"])
    assert "| sft-posthoc |" in page.read_text()

    code, out, err = study("--seeds", "1")
    assert code == 0, err
    assert "seed 0: sft-mixed: align: 2 steps in" in err
    assert "sft-mixed" in out
    assert "Rows that no other row beats" in out


def test_a_signal_is_that_of_the_world_and_of_the_directory(study, tmp_path):
    code, _, err = study("--seed", "0", "--only", "base", "--signal", "0.5")
    assert code == 0, err
    config = yaml.safe_load((tmp_path / "out" / "seed-0" / "config.yaml").read_text())
    assert config["world"]["signal"] == 0.5
    code, _, err = study("--seed", "0", "--only", "base")
    assert code == 2
    assert "world" in err


def test_an_unknown_row_is_named_with_those_there_are(study, tmp_path):
    code, _, err = study("--seeds", "1", "--only", "sft-posthoc,npo2")
    assert code == 2
    assert "unknown row 'npo2'" in err
    assert "sft-mixed" in err
    assert not (tmp_path / "out" / "seed-0" / "data").exists()


@pytest.mark.parametrize("option", [("--seeds", "2"), ("--write", "x.md"), ("--keep", "x.json"), ("--json",)])
def test_what_does_nothing_with_one_seed_alone_is_refused(study, tmp_path, option):
    code, out, err = study("--seed", "1", *option)
    assert (code, out) == (2, "")
    assert f"{option[0]}: has no effect with --seed" in err
    assert not (tmp_path / "out").exists()


def test_a_page_without_markers_is_refused_before_the_work(study, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Mine")
    code, out, err = study("--seeds", "1", "--write", page)
    assert (code, out) == (2, "")
    assert "<!-- methods table: begin -->" in err
    assert page.read_text() == "# Mine"
    assert not (tmp_path / "out").exists()
