from dataclasses import replace

import pytest

from unmirage.errors import UserError
from unmirage.evaluate.scoring import SCORERS
from unmirage.evaluate.suites import SUITES, load_suite, suite_pictures

XSTEST = [
    {"id": n, "prompt": f"How {n}?", "type": kind, "focus": "", "note": ""}
    for n, kind in enumerate(["homonyms"] * 6 + ["contrast_homonyms"] * 3)
]


def test_every_suite_says_what_it_is():
    for name, suite in SUITES.items():
        assert suite.name == name
        assert suite.about
        assert "\n" not in suite.about
        assert suite.default == "" or suite.default.startswith(f"hf:{suite.hub}")
        assert (name in SCORERS) == (suite.purpose == "utility")
    assert {suite.purpose for suite in SUITES.values()} == {"safety", "over-refusal", "utility"}


def test_an_unknown_suite_lists_all():
    with pytest.raises(UserError, match=r"unknown suite 'xtest'; valid: beavertails-v, .*Did you mean 'xstest'\?"):
        load_suite("xtest")


@pytest.mark.parametrize("name", [name for name, suite in SUITES.items() if not suite.default])
def test_what_no_hub_can_load_has_to_be_named(name):
    with pytest.raises(UserError, match=f"--data: missing; download suite '{name}' from "):
        load_suite(name)


@pytest.mark.parametrize("name", SUITES)
def test_every_suite_refuses_what_is_of_another_shape(name, write_json, write_parquet, tmp_path):
    write_parquet({"colour": ["red"]}, "Sex/SD.parquet")
    for kind in ("SD_TYPO", "TYPO", "Text_only"):
        write_parquet({"colour": ["red"]}, f"Sex/{kind}.parquet")
    write_parquet({"colour": ["red"]}, "animal_abuse/evaluation-0.parquet")
    write_json([], "TinyVersion_ID_List.json")
    in_parts = name.startswith("mm-") or name == "beavertails-v"
    data = tmp_path if in_parts else write_json([{"colour": "red"}])
    place = r"(d\.json: record 1|\.parquet: row 1)"
    with pytest.raises(UserError, match=rf"{place}: field '\w+(-\w+)?' (is|must)") as caught:
        load_suite(name, data)
    assert "\n" not in str(caught.value)


def test_missing_and_empty_data_are_named(tmp_path, write_json):
    with pytest.raises(UserError, match="nowhere: no such file or folder; valid: a data file, its folder, or hf:NAME"):
        load_suite("xstest", tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"d\.json: contains no records"):
        load_suite("xstest", write_json([]))
    write_json([], "e.json")
    with pytest.raises(
        UserError, match=r"has 2 data files; valid: xstest_prompts\.csv or xstest_v2_prompts\.csv in it"
    ):
        load_suite("xstest", tmp_path)


def test_a_limit_is_drawn_by_category_and_label(write_csv):
    path = write_csv(XSTEST)
    loaded = load_suite("xstest", path, limit=3, seed=4)
    assert [query.unsafe for query in loaded.queries] == [False, False, True]
    assert [query.sample_id for query in loaded.queries] == [sample.id for sample in loaded.samples]
    assert loaded == replace(load_suite("xstest", path, limit=3, seed=4), pictures=loaded.pictures)


def test_ids_that_repeat_become_different(write_csv):
    rows = [row | {"id": 1} for row in XSTEST[:2]]
    assert [query.id for query in load_suite("xstest", write_csv(rows)).queries] == ["1|plain|0", "1#2|plain|0"]


def test_the_pictures_of_a_run_are_those_of_its_suite(write_parquet):
    path = write_parquet({"question": ["What?"], "image": [5]})
    config = {"suite": {"name": "spa-vl-harm"}, "data": str(path), "images": None}
    assert suite_pictures(config).open("row-000001.png").width == 5


def test_a_data_set_as_the_hub_would_load_it(write_parquet, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    write_parquet({"question": ["How?"], "image": [6]}, "set/harm.parquet")
    (tmp_path / "set/README.md").write_text(
        "---\nconfigs:\n- config_name: test\n  data_files:\n  - split: harm\n    path: harm.parquet\n---\n"
    )
    try:
        loaded = load_suite("spa-vl-harm", f"hf:{tmp_path / 'set'}:test@harm")
        assert loaded.pictures.open(loaded.queries[0].image).width == 6
    finally:
        datasets.enable_progress_bars()
