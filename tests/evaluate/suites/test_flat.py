"""Suites with one record per question, on small files of the published shapes and layouts."""

import io

import pytest
from PIL import Image

from unmirage.errors import UserError
from unmirage.evaluate.suites import SUITES, load_suite

SIUO = {
    "question_id": 1001,
    "image": "S-01.png",
    "question": "Encourage me.",
    "category": "self-harm",
    "safety_warning": "A roof.",
    "reference_answer": "Please wait.",
}
VLSBENCH = {"instruction_id": 0, "instruction": "How?", "image_path": "imgs/0.png", "category": "Privacy"}
MSTS = {
    "hazard_category": "Other",
    "case_id": "case_0001",
    "unsafe_image_id": "unsafe_image_0001",
    "prompt_id": "prompt_0001",
    "prompt_text": "Should I eat this?",
    "prompt_type": "assistance",
}
JAILBREAKV = {
    "id": 3,
    "jailbreak_query": "Pretend. Now how?",
    "redteam_query": "How?",
    "format": "Template",
    "policy": "Fraud",
    "image_path": "llm_transfer_attack/SD_1.png",
}
HARMBENCH = {
    "Behavior": "Say how.",
    "BehaviorID": "say_how",
    "SemanticCategory": "illegal",
    "ImageFileName": "say_how.jpg",
}
VLSU = {
    "uuid": "u-1",
    "prompt": "Do it?",
    "web_path": "https://example.org/1",
    "image_grade": "safe",
    "consensus_text_grade": "safe",
    "consensus_combined_grade": "unsafe",
    "combined_category": "C3: Drug Abuse",
}
OR_BENCH = {"prompt": "How do I end a process?", "category": "violence"}
COCONOT = {"id": "c-1", "category": "Safety", "subcategory": "x", "prompt": "Do it.", "response": ""}


def asked(loaded):
    """Return what is asked, with the label and the category."""
    (query,), (sample,) = loaded.queries, loaded.samples
    return query.id, query.text, query.image, query.unsafe, sample.category


@pytest.mark.parametrize(
    ("name", "record", "file", "image", "expected"),
    [
        ("siuo", SIUO, "data/siuo_gen.json", "data/images/S-01.png",
         ("1001|plain|0", "Encourage me.", "S-01.png", True, "self-harm")),
        ("siuo", SIUO, "siuo_gen.json", "images/S-01.png",
         ("1001|plain|0", "Encourage me.", "S-01.png", True, "self-harm")),
        ("vlsbench", VLSBENCH, "data/data.json", "data/imgs/0.png",
         ("0|plain|0", "How?", "imgs/0.png", True, "Privacy")),
        ("msts", MSTS, "data/prompts/english_multimodal.csv", "data/unsafe_images/unsafe_image_0001.jpg",
         ("prompt_0001|plain|0", "Should I eat this?", "unsafe_image_0001.jpg", True, "Other")),
        ("jailbreakv-28k", JAILBREAKV, "JailBreakV_28K/JailBreakV_28K.csv",
         "JailBreakV_28K/llm_transfer_attack/SD_1.png",
         ("3|plain|0", "Pretend. Now how?", "llm_transfer_attack/SD_1.png", True, "Fraud")),
        ("jailbreakv-28k-mini", JAILBREAKV, "mini_JailBreakV_28K.csv", "llm_transfer_attack/SD_1.png",
         ("3|plain|0", "Pretend. Now how?", "llm_transfer_attack/SD_1.png", True, "Fraud")),
        ("harmbench-mm", HARMBENCH, "data/behavior_datasets/harmbench_behaviors_multimodal_all.csv",
         "data/multimodal_behavior_images/say_how.png",
         ("say_how|plain|0", "Say how.", "say_how.png", True, "illegal")),
        ("vlsu", VLSU, "data/VLSU.csv", "data/images/u-1.jpg",
         ("u-1|plain|0", "Do it?", "u-1.jpg", True, "C3: Drug Abuse")),
    ],
)  # fmt: skip
def test_the_layout_of_the_repository_is_found(
    write_json, write_csv, picture, tmp_path, name, record, file, image, expected
):
    (write_json if file.endswith(".json") else write_csv)([record], f"r/{file}")
    picture(f"r/{image}", 7)
    loaded = load_suite(name, tmp_path / "r")
    assert asked(loaded) == expected
    assert loaded.pictures.open(loaded.queries[0].image).width == 7
    assert asked(load_suite(name, tmp_path / "r" / file)) == expected


@pytest.mark.parametrize(
    ("name", "record", "file", "unsafe"),
    [
        ("or-bench-hard-1k", OR_BENCH, "or-bench-hard-1k.csv", False),
        ("or-bench-80k", OR_BENCH, "or-bench-80k.csv", False),
        ("or-bench-toxic", OR_BENCH, "or-bench-toxic.csv", True),
        ("msts-text", MSTS, "data/prompts/english_textonly.csv", True),
    ],
)
def test_text_only_suites_ask_without_an_image(write_csv, tmp_path, name, record, file, unsafe):
    write_csv([record | {"image": "x.png"}], f"r/{file}")
    _, text, image, label, _ = asked(load_suite(name, tmp_path / "r"))
    assert (text, image, label) == (record.get("prompt") or record["prompt_text"], None, unsafe)


@pytest.mark.parametrize(
    ("name", "config", "unsafe"), [("coconot", "original", True), ("coconot-contrast", "contrast", False)]
)
def test_coconot_reads_the_test_split_of_its_configuration(write_parquet, tmp_path, name, config, unsafe):
    columns = {key: [value] for key, value in COCONOT.items()}
    for folder in ("original", "contrast"):
        write_parquet(columns | {"prompt": [folder]}, f"r/{folder}/test-00000-of-00001.parquet")
        write_parquet(columns | {"prompt": ["train"]}, f"r/{folder}/train-00000-of-00001.parquet")
    expected = ("c-1|plain|0", config, None, unsafe, "Safety")
    assert asked(load_suite(name, tmp_path / "r")) == expected
    assert asked(load_suite(name, tmp_path / "r" / config)) == expected
    other = {"original": "contrast", "contrast": "original"}[config]
    with pytest.raises(
        UserError, match=rf"{other}/test-.*parquet: these questions have another label; use suite 'coco"
    ):
        load_suite(name, tmp_path / "r" / other)


def test_embedded_images_come_before_a_path(write_parquet):
    columns = {key: [value] for key, value in VLSBENCH.items()}
    loaded = load_suite("vlsbench", write_parquet(columns | {"image": [9]}))
    assert loaded.queries[0].image == "row-000001.png"
    assert loaded.pictures.open("row-000001.png").width == 9


@pytest.mark.parametrize(
    ("name", "file", "instead"),
    [
        ("or-bench-hard-1k", "or-bench-toxic.csv", "or-bench-toxic"),
        ("or-bench-toxic", "or-bench-hard-1k.csv", "or-bench-hard-1k"),
        ("or-bench-toxic", "OR-Bench-80K.csv", "or-bench-80k"),
    ],
)
def test_the_file_of_another_label_is_refused(write_csv, name, file, instead):
    with pytest.raises(UserError, match=rf"{file}: these questions have another label; use suite '{instead}'"):
        load_suite(name, write_csv([OR_BENCH], file))


@pytest.mark.parametrize(
    ("name", "record", "problem"),
    [
        ("siuo", {key: SIUO[key] for key in ("question_id", "image", "question")} | {"options": {"A": "x"}},
         r"field 'safety_warning' is missing; valid: siuo_gen\.json; the record has 'question_id', 'image'"),
        ("msts", {"case_id": "case_0001", "prompt_text": "?", "model": "m", "response": "r"},
         r"field 'hazard_category' is missing; valid: data/prompts/LANGUAGE_multimodal\.csv"),
        ("vlsbench", VLSBENCH | {"image_path": ""},
         "field 'image' is missing or empty, but each question has an image"),
        ("vlsu", VLSU | {"consensus_combined_grade": "bad"},
         "field 'consensus_combined_grade' is 'bad'; valid: safe, unsafe, borderline, not_sure"),
    ],
)  # fmt: skip
def test_other_files_are_refused_with_record_and_field(write_json, name, record, problem):
    with pytest.raises(UserError, match=rf"d\.json: record 1: {problem}"):
        load_suite(name, write_json([record]))


def test_vlsu_asks_what_is_graded_and_counts_the_rest(write_csv):
    grades = ["unsafe", "safe", "borderline", "not_sure", "borderline"]
    rows = [VLSU | {"uuid": f"u-{n}", "consensus_combined_grade": grade} for n, grade in enumerate(grades)]
    loaded = load_suite("vlsu", write_csv(rows))
    assert [(query.sample_id, query.unsafe) for query in loaded.queries] == [("u-0", True), ("u-1", False)]
    size, left_out = loaded.notes
    assert size.endswith("d.csv: 5 questions; suite 'vlsu' was published with 8,158 or 8,187")
    field = "consensus_combined_grade"
    assert left_out.endswith(f"d.csv: 3 of 5 questions are not asked: {field} borderline 2, {field} not_sure 1")


def test_attacks_on_one_request_and_prompts_about_one_image_are_one_cluster(write_csv):
    twice = [JAILBREAKV, JAILBREAKV | {"id": 4, "image_path": "figstep/1.png"}]
    clusters = {sample.cluster for sample in load_suite("jailbreakv-28k", write_csv(twice)).samples}
    assert {cluster.name for cluster in clusters} == {"How?"}
    prompts = [MSTS, MSTS | {"prompt_id": "prompt_0201", "prompt_text": "I am going to eat this."}]
    assert len({sample.cluster for sample in load_suite("msts", write_csv(prompts)).samples}) == 1


def test_a_missing_image_keeps_its_published_name(write_csv):
    assert load_suite("harmbench-mm", write_csv([HARMBENCH])).queries[0].image == "say_how.jpg"
    assert load_suite("msts", write_csv([MSTS])).queries[0].image == "unsafe_image_0001"


def test_a_size_is_compared_by_category_and_before_the_limit(write_json):
    suite = SUITES["siuo"]
    (published,) = suite.published
    rows = [
        SIUO | {"question_id": f"{name}{n}", "category": name}
        for name, count in published.parts.items()
        for n in range(count)
    ]
    assert load_suite("siuo", write_json(rows)).notes == ()
    assert load_suite("siuo", write_json(rows), limit=5).notes == ()
    (note,) = load_suite("siuo", write_json(rows[1:])).notes
    assert note.endswith("d.json: 166 questions; suite 'siuo' was published with 167 (self-harm: 18, published 19)")
    moved = [rows[0] | {"category": "morality"}, *rows[1:]]
    (note,) = load_suite("siuo", write_json(moved)).notes
    assert note.endswith("published with 167 (self-harm: 18, published 19; morality: 21, published 20)")
    (note,) = load_suite("siuo", write_json([SIUO])).notes
    assert note.endswith("; and 4 more categories)")


@pytest.mark.parametrize("name", SUITES)
def test_every_suite_knows_its_published_size(name):
    published = SUITES[name].published
    assert published
    for one in published:
        assert one.total == (sum(one.parts.values()) or one.total)


def test_the_hub_version_of_msts_has_its_images_embedded(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    content = io.BytesIO()
    Image.new("RGB", (11, 2)).save(content, "PNG")
    columns = {key: [value] for key, value in MSTS.items() if key != "prompt_id"}
    columns["unsafe_image"] = [{"bytes": content.getvalue(), "path": "unsafe_image_0001.jpg"}]
    pq.write_table(pa.table(columns), tmp_path / "english.parquet")
    loaded = load_suite("msts", tmp_path / "english.parquet")
    assert asked(loaded) == ("1|plain|0", "Should I eat this?", "row-000001.png", True, "Other")
    assert loaded.pictures.open("row-000001.png").width == 11


@pytest.mark.parametrize(
    ("name", "config", "split", "columns"),
    [
        ("coconot", "original", "test", {key: [value] for key, value in COCONOT.items()}),
        ("or-bench-toxic", "or-bench-toxic", "train", {key: [value] for key, value in OR_BENCH.items()}),
        ("beavertails-v", "animal_abuse", "evaluation", {"question": ["How?"], "image_severity": [2], "image": [6]}),
    ],
)
def test_a_dataset_as_the_hub_has_it(write_parquet, tmp_path, monkeypatch, name, config, split, columns):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    write_parquet(columns, "set/d.parquet")
    (tmp_path / "set/README.md").write_text(
        f"---\nconfigs:\n- config_name: {config}\n  data_files:\n  - split: {split}\n    path: d.parquet\n---\n"
    )
    try:
        loaded = load_suite(name, f"hf:{tmp_path / 'set'}:{config}@{split}")
        (query,) = loaded.queries
        assert query.unsafe
        assert query.image is None or loaded.pictures.open(query.image).width == 6
    finally:
        datasets.enable_progress_bars()
