"""Suites on the files that their authors publish, alone and in folders laid out like the repositories."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from unmirage.data import load_samples
from unmirage.errors import UserError
from unmirage.evaluate.suites import load_suite

DATA = Path(__file__).parents[3] / ".." / "shared" / "data"
FIELD = DATA / "field"
pytestmark = pytest.mark.skipif(not FIELD.is_dir(), reason="the published files are not here")

# Suite, file, place in the repository, refused and answered questions, name of the first image.
FILES = [
    ("siuo", "bench/siuo_gen.json", "data/siuo_gen.json", (167, 0), "S-01.png"),
    ("msts", "msts/prompts_english_multimodal.csv", "data/prompts/english_multimodal.csv", (400, 0),
     "unsafe_image_0001"),
    ("figstep", "figstep/safebench.csv", "data/question/safebench.csv", (500, 0), "query_ForbidQI_1_1_6.png"),
    ("figstep", "figstep/SafeBench-Tiny.csv", "SafeBench-Tiny.csv", (50, 0), "query_ForbidQI_1_1_6.png"),
    ("mossbench", "mossbench/information.json", "data/images_information/information.json", (0, 300), "images/1.png"),
    ("mossbench", "mossbench/information.csv", "information.csv", (0, 300), "images/1.png"),
    ("mossbench-contrast", "mossbench/contrast_information.json", "data_contrast/images_information/information.json",
     (244, 0), "images/1.png"),
    ("xstest", "xstest/xstest_prompts.csv", "xstest_prompts.csv", (200, 250), None),
    ("xstest", "xstest/xstest_v2_completions_gpt4.csv", "xstest_v2_completions_gpt4.csv", (200, 250), None),
]  # fmt: skip


@pytest.mark.parametrize(("suite", "file", "place", "labels", "image"), FILES)
def test_a_published_file_has_its_published_size(suite, file, place, labels, image, tmp_path):
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(FIELD / file, tmp_path / place)
    for data in (FIELD / file, tmp_path, tmp_path / place):
        loaded = load_suite(suite, data)
        counts = Counter(query.unsafe for query in loaded.queries)
        assert (counts[True], counts[False]) == labels
        assert loaded.queries[0].image == image
        assert loaded.notes == ()


def test_a_clone_of_mossbench_has_both_sets(tmp_path):
    for folder, file in (("data", "information.json"), ("data_contrast", "contrast_information.json")):
        (tmp_path / folder / "images_information").mkdir(parents=True)
        shutil.copy(FIELD / "mossbench" / file, tmp_path / folder / "images_information" / "information.json")
    shutil.copy(FIELD / "mossbench" / "information.csv", tmp_path)
    for suite, folder, count in (("mossbench", "data", 300), ("mossbench-contrast", "data_contrast", 244)):
        (tmp_path / folder / "images").mkdir()
        for data in (tmp_path, tmp_path / folder):
            loaded = load_suite(suite, data)
            assert (len(loaded.queries), loaded.image_root.resolve()) == (count, (tmp_path / folder).resolve())
    with pytest.raises(
        UserError, match="record 1: this question is in the harmful contrast set; use suite 'mossbench-c"
    ):
        load_suite("mossbench", tmp_path / "data_contrast")
    with pytest.raises(UserError, match="record 1: this question is harmless; use suite 'mossbench'"):
        load_suite("mossbench-contrast", tmp_path / "data")
    loaded = load_samples(tmp_path / "data_contrast/images_information/information.json")
    assert Counter(sample.refused for sample in loaded) == {True: 244}


@pytest.mark.parametrize("name", ["english_multimodal_five_models", "english_textonly", "french_multimodal"])
def test_a_file_of_responses_is_no_file_of_prompts(name):
    with pytest.raises(UserError, match=r"field 'hazard_category' is missing; valid: data/prompts/LANGUAGE_multimodal"):
        load_suite("msts", FIELD / f"msts/{name}.csv")


def test_the_small_version_of_mm_safetybench_has_168_questions(tmp_path):
    """The questions themselves are not here; only those on the list are asked."""
    listed = json.loads((FIELD / "bench/mmsb_TinyVersion_ID_List.json").read_text("utf-8"))
    (tmp_path / "data/processed_questions").mkdir(parents=True)
    shutil.copy(FIELD / "bench/mmsb_TinyVersion_ID_List.json", tmp_path / "TinyVersion_ID_List.json")
    for one in listed:
        questions = {
            str(n): {"Rephrased Question": f"typo {n}", "Rephrased Question(SD)": f"sd {n}"}
            for n in range(1 + max(one["Sampled_ID_List"]))
        }
        (tmp_path / f"data/processed_questions/{one['Scenario']}.json").write_text(json.dumps(questions))
    for data in (tmp_path, tmp_path / "data"):
        loaded = load_suite("mm-safetybench-tiny", data)
        assert (len(loaded.queries), loaded.notes) == (3 * 168, ())
        assert loaded.queries[0].id == "Illegal_Activitiy/SD/5|plain|0"
        assert (loaded.queries[0].text, loaded.queries[0].image) == ("sd 5", "Illegal_Activitiy/SD/5.jpg")


def test_vlguards_training_set_is_refused():
    with pytest.raises(UserError, match=r"train\.json: is VLGuard's training set \(1,023 questions of this kind\)"):
        load_suite("vlguard-unsafes", DATA / "vlguard")
