"""The demo command on a small study: JSON alone on stdout, a report, and nothing done twice."""

import json

import pytest


@pytest.fixture
def demo(unmirage, small_study, monkeypatch, tmp_path):
    monkeypatch.setattr("unmirage.testbed.settings.StudySettings", lambda: small_study)
    return lambda *args: unmirage("demo", "--out", tmp_path / "out", *args)


def test_demo_from_nothing_to_report_and_again_with_another_seed(demo, tmp_path):
    code, out, err = demo("--json")
    assert code == 0, err
    document = json.loads(out)
    assert document == json.loads((tmp_path / "out" / "results.json").read_text())
    assert list(document["models"]) == ["base", "sft-posthoc", "npo", "rmu"]
    assert document["models"]["base"]["asr"]["before"]["n"] == 20
    assert "sft-posthoc: align: 4 steps in" in err
    assert str(tmp_path / "out" / "report.html") in err
    page = (tmp_path / "out" / "report.html").read_text()
    assert "default-src 'none'" in page

    code, out, err = demo("--seeds", "2")
    assert code == 0, err
    assert "seed 0: " not in err  # finished before
    assert "seed 1: sft-posthoc: align: 4 steps in" in err
    assert "seeds: 0, 1" in out
    pooled = json.loads((tmp_path / "out" / "results.json").read_text())
    assert pooled["seeds"] == [0, 1]
    assert pooled["models"]["base"]["asr"]["before"]["n"] == 40
    for name, rates in pooled["by_seed"][0]["models"].items():
        assert rates.items() <= document["models"][name].items()
    assert pooled["models"]["base"]["over_seeds"]["asr.before"]["n"] == 2


def test_a_folder_of_something_else_is_left_alone(demo, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    code, out, err = demo()
    assert (code, out) == (2, "")
    assert "exists and is not a run directory" in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]
