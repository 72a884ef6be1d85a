"""The page of published audits follows from its results, the results from the published files, the claims from both."""

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = json.loads((ROOT / "benchmarks" / "results" / "published_audits.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "audits.md").read_text(encoding="utf-8")
DATA = ROOT / ".." / "shared" / "data"
SETS = RESULTS["sets"]


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("published_audits")


@pytest.fixture
def files(script):
    found = script.Files(DATA)
    if found.missing():
        pytest.skip("the published files are not here")
    return found


def test_the_page_is_rendered_from_the_kept_results(script):
    assert script.page(RESULTS) == PAGE


def recomputed(script, files, rows):
    return json.loads(json.dumps(script.run(files, lambda _: None, rows)))


@pytest.mark.slow
def test_results_of_small_sets_and_of_vlguard_are_those_of_the_published_files(script, files):
    rows = [row for row in script.ROWS if row.key == "vlguard" or SETS[row.key]["n"] < 1000]
    found = recomputed(script, files, rows)
    assert found.pop("sets") == {row.key: SETS[row.key] for row in rows}
    assert len(rows) == 9
    assert found == {name: RESULTS[name] for name in found}


@pytest.mark.nightly
def test_all_results_are_those_of_the_published_files(script, files):
    found = recomputed(script, files, script.ROWS)
    assert found == {name: RESULTS[name] for name in found}


def test_texts_without_a_license_to_redistribute_are_not_on_the_page(files):
    limited = [*files.vlguard, *files.siuo, *files.load("MOSSBench pairs")]
    assert len(limited) == 2977 + 167 + 544
    page = " ".join(PAGE.lower().split())
    assert not [one.query for one in limited if len(one.query.split()) > 2 and one.query.lower().rstrip(" .?") in page]


def value(key):
    return SETS[key]["informedness"]["value"]


@pytest.mark.parametrize(
    "key", ["vlguard", "vlguard_answers", "vlguard_pictures", "vlguard_vizwiz", "vlguard_alpaca", "xstest"]
)
def test_sets_that_the_page_calls_a_shortcut_are_one(key):
    assert SETS[key]["verdict"] == "clear shortcut"
    assert SETS[key]["informedness"]["low"] > 0.05


@pytest.mark.parametrize("key", ["mossbench", "xstest_same", "xstest_types", "shuffled", "halves"])
def test_intervals_of_sets_without_a_shortcut_cover_0(key):
    found = SETS[key]["informedness"]
    assert found["low"] <= 0 <= found["high"]
    assert SETS[key]["verdict"] == "no shortcut found"


def test_comparisons_of_the_prose_hold():
    assert abs(value("vlguard_vizwiz") - value("vlguard")) < 0.01
    assert SETS["vlguard_vizwiz"]["shortcut_gap"] < SETS["vlguard"]["shortcut_gap"]
    assert value("vlguard_alpaca") < value("vlguard")
    assert value("figstep_alpaca") > value("figstep_vizwiz") > value("figstep_xstest") > 0.2
    assert value("figstep_prompt") is None
    mixtures = [
        value(key) for key in SETS if key.startswith(("figstep_", "msts_", "siuo_")) and key != "figstep_prompt"
    ]
    assert min(mixtures) < value("pooled") < max(mixtures)
    assert f"{value('msts_vizwiz'):.2f}" == f"{value('msts_mossbench'):.2f}"
    assert SETS["siuo_vizwiz"]["shortcut_gap"] < 0.01 < value("siuo_vizwiz")
    assert value("xstest") > RESULTS["xstest_permuted"]["highest"]
    assert {SETS[key]["other_rule"]["name"] for key in ("xstest_same", "siuo_mossbench")} == {"shape"}


@pytest.mark.parametrize(
    ("word", "key", "refused", "answered"),
    [("share", "vlguard", 195, 0), ("describe", "vlguard", 162, 0), ("identify", "vlguard", 107, 0)],
)
def test_openers_that_the_page_calls_one_sided_are(word, key, refused, answered):
    assert {"word": word, "refused": refused, "answered": answered}.items() <= next(
        one for one in SETS[key]["openers"] if one["word"] == word
    ).items()


def test_missing_files_are_named(script, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["published_audits.py", "--shared", str(tmp_path)])
    with pytest.raises(SystemExit):
        script.main()
    assert f"missing: {tmp_path / 'data' / 'vlguard' / 'train.json'}" in capsys.readouterr().err
