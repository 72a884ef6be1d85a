import pytest
from PIL import Image

from unmirage.errors import UserError
from unmirage.evaluate.suites import load_suite, suite_pictures
from unmirage.records import Kind

TEN = ["red"] * 6 + ["dark red"] * 4


@pytest.fixture
def vqav2(write_parquet):
    """Return a file of two questions about one picture and one about another."""
    answers = [[{"answer": text, "answer_confidence": "yes", "answer_id": n} for n, text in enumerate(TEN, 1)]] * 3
    return write_parquet(
        {
            "question_type": ["what"] * 3,
            "multiple_choice_answer": ["red"] * 3,
            "answers": answers,
            "image_id": [7, 7, 8],
            "answer_type": ["other", "yes/no", "number"],
            "question_id": [7001, 7002, 8001],
            "question": ["What colour is it?", "Is it red?", "How many?"],
            "image": [3, 3, 4],
        }
    )


def test_vqav2(vqav2):
    loaded = load_suite("vqav2", vqav2)
    first = loaded.queries[0]
    assert first.text == "What colour is it?\nAnswer the question using a single word or phrase."
    assert (first.id, first.kind, first.unsafe) == ("7001|utility|0", Kind.UTILITY, False)
    assert [sample.record for sample in loaded.samples] == ["7", "7", "8"]
    assert [sample.group for sample in loaded.samples] == ["7", "7", "8"]
    assert [sample.category for sample in loaded.samples] == ["other", "yes/no", "number"]
    assert (loaded.samples[0].query, loaded.samples[0].answer) == ("What colour is it?", "red")
    assert [gold.query_id for gold in loaded.gold] == [query.id for query in loaded.queries]
    assert loaded.gold[0].answers == tuple(TEN)
    assert [loaded.pictures.open(query.image).width for query in loaded.queries] == [3, 3, 4]


def test_textvqa_with_and_without_what_ocr_read(write_parquet):
    path = write_parquet(
        {"question": ["What is the brand?"], "image": [2], "answers": [TEN], "ocr_tokens": [["NOKIA", "N70"]]}
    )
    end = "Answer the question using a single word or phrase."
    assert load_suite("textvqa", path).queries[0].text == f"What is the brand?\n{end}"
    assert load_suite("textvqa-ocr", path).queries[0].text == (
        f"What is the brand?\nReference OCR token: NOKIA, N70\n{end}"
    )


def test_vizwiz_may_be_unanswerable(write_json):
    answers = ["unanswerable"] * 10
    row = {"question_id": "VizWiz_val_1.jpg", "question": "What is it?", "image": "1.jpg", "answers": answers}
    loaded = load_suite("vizwiz", write_json([row]))
    assert loaded.queries[0].text == (
        "What is it?\nWhen the provided information is insufficient, respond with 'Unanswerable'.\n"
        "Answer the question using a single word or phrase."
    )
    assert (loaded.samples[0].record, loaded.samples[0].group) == ("1.jpg", None)
    assert loaded.gold[0].answers == ("unanswerable",) * 10


@pytest.mark.parametrize("place", ["", "Annotations/"])
def test_vizwizs_own_files(write_json, tmp_path, place):
    answers = [{"answer_confidence": "yes", "answer": text} for text in TEN]
    row = {"image": "VizWiz_val_00000007.jpg", "question": "What is it?", "answers": answers, "answerable": 1}
    file = write_json([row | {"answer_type": "other"}], f"own/{place}val.json")
    write_json([row], f"own/{place}train.json")
    (tmp_path / "own/val").mkdir()
    Image.new("RGB", (7, 4)).save(tmp_path / "own/val/VizWiz_val_00000007.jpg")
    for data in (tmp_path / "own", file):
        loaded = load_suite("vizwiz", data)
        assert loaded.gold[0].answers == tuple(TEN)
        assert loaded.samples[0].category == "other"
        assert loaded.pictures.open(loaded.queries[0].image).width == 7


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        (None, r"field 'answers' is None; valid: a list of 10 answers, as a validation split has"),
        (TEN[:3], r"field 'answers' is 3 answers; valid: a list of 10"),
        ([*TEN[:9], {"text": "red"}], r"field 'answers\[9\]' is \{'text': 'red'\}; valid: a string, or an object"),
        ([*TEN[:9], 4], r"field 'answers\[9\]' is 4"),
    ],
)
def test_answers_of_another_shape_are_named(write_json, answers, problem):
    with pytest.raises(UserError, match=rf"d\.json: record 1: {problem}"):
        load_suite("vqav2", write_json([{"question": "What?", "answers": answers}]))


def test_without_what_ocr_read_the_other_suite_is_named(write_json):
    with pytest.raises(UserError, match=r"record 1: field 'ocr_tokens' is None; valid: .* the suite 'textvqa'"):
        load_suite("textvqa-ocr", write_json([{"question": "What?", "answers": TEN}]))


@pytest.fixture
def official(write_json, tmp_path):
    """Return the folder of the authors' files, after `change` was made to the questions and the annotations."""

    def write(change=lambda questions, annotations: None):
        asked = [(42, 42000, "What colour is it?"), (42, 42001, "Is it red?"), (131072, 131072000, "How many?")]
        questions = {
            "info": {"version": "2.0"},
            "task_type": "Open-Ended",
            "data_type": "mscoco",
            "data_subtype": "val2014",
            "questions": [{"image_id": image, "question": text, "question_id": key} for image, key, text in asked],
        }
        answers = [{"answer": text, "answer_confidence": "yes", "answer_id": n} for n, text in enumerate(TEN, 1)]
        annotations = {
            "data_subtype": "val2014",
            "annotations": [
                {
                    "question_type": "what",
                    "multiple_choice_answer": "red",
                    "answers": answers,
                    "image_id": image,
                    "answer_type": "other",
                    "question_id": key,
                }
                for image, key, _ in reversed(asked)
            ],
        }
        change(questions, annotations)
        write_json(questions, "vqa/v2_OpenEnded_mscoco_val2014_questions.json")
        write_json(annotations, "vqa/v2_mscoco_val2014_annotations.json")
        return tmp_path / "vqa"

    return write


def test_the_authors_own_files_are_joined_by_the_number_of_the_question(official):
    folder = official(lambda _, annotations: annotations["annotations"][0].update(answers=[{"answer": "3"}] * 10))
    (folder / "val2014").mkdir()
    Image.new("RGB", (7, 4)).save(folder / "val2014/COCO_val2014_000000131072.jpg")
    loaded = load_suite("vqav2", folder)
    assert [sample.id for sample in loaded.samples] == ["42000", "42001", "131072000"]
    assert [sample.record for sample in loaded.samples] == ["42", "42", "131072"]
    assert [sample.image for sample in loaded.samples][:2] == ["COCO_val2014_000000000042.jpg"] * 2
    assert [gold.answers for gold in loaded.gold] == [tuple(TEN), tuple(TEN), ("3",) * 10]
    assert loaded.pictures.open(loaded.queries[2].image).width == 7
    config = {"suite": {"name": "vqav2"}, "data": str(folder), "images": str(loaded.image_root)}
    assert suite_pictures(config).open(loaded.queries[2].image).width == 7


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda q, a: q.pop("questions"), "_questions.json: field 'questions' is None; valid: a list"),
        (lambda q, a: a.update(annotations=[1]), r"_annotations.json: annotations\[0\] is 1; valid: an object"),
        (lambda q, a: q.pop("data_subtype"), "_questions.json: field 'data_subtype' is None; valid: the split"),
        (lambda q, a: q.update(data_subtype="../x"), "field 'data_subtype' is '../x'"),
        (
            lambda q, a: q["questions"][1].pop("question_id"),
            "_questions.json: record 2: field 'question_id' is missing",
        ),
        (lambda q, a: q["questions"][0].update(image_id="x"), "record 1: field 'image_id' is 'x'; valid: the number"),
        (
            lambda q, a: a["annotations"].pop(),
            "_questions.json: record 1: field 'answers' is None; valid: a list of 10",
        ),
    ],
)
def test_authors_files_of_another_shape_are_named_by_field(official, change, problem):
    with pytest.raises(UserError, match=problem):
        load_suite("vqav2", official(change))


def test_both_files_have_to_be_there_once(official):
    folder = official()
    (folder / "v2_mscoco_val2014_annotations.json").unlink()
    with pytest.raises(UserError, match=r"vqa: has 1 files \*_questions.json and 0 \*_annotations.json; valid: one of"):
        load_suite("vqav2", folder)


def test_of_several_splits_the_one_is_read_whose_questions_are_named(official):
    folder = official()
    for name in ("v2_OpenEnded_mscoco_{}_questions.json", "v2_mscoco_{}_annotations.json"):
        text = (folder / name.format("val2014")).read_text()
        (folder / name.format("train2014")).write_text(text.replace("val2014", "train2014").replace("What", "Which"))
    with pytest.raises(UserError, match=r"has 2 files \*_questions.json and 2 \*_annot.*; valid: one of each, or"):
        load_suite("vqav2", folder)
    for split, width in (("val2014", 5), ("train2014", 6)):
        (folder / split).mkdir()
        Image.new("RGB", (width, 4)).save(folder / split / f"COCO_{split}_000000000042.jpg")
    for split, width, word in (("val2014", 5, "What"), ("train2014", 6, "Which")):
        loaded = load_suite("vqav2", folder / f"v2_OpenEnded_mscoco_{split}_questions.json")
        assert loaded.samples[0].query == f"{word} colour is it?"
        assert loaded.image_root == folder / split
        assert loaded.pictures.open(loaded.queries[0].image).width == width


@pytest.fixture
def textvqa(write_json, tmp_path):
    """Return the folder of TextVQA's own files, after `change` was made to the questions and to what OCR read."""

    def write(change=lambda asked, read: None, split="val"):
        asked = [
            {
                "question": text,
                "image_id": image,
                "image_classes": ["Phone"],
                "flickr_original_url": "https://example.org/1.jpg",
                "image_width": 4,
                "answers": TEN,
                "question_id": key,
                "set_name": split,
            }
            for key, image, text in ((34602, "003a8ae2", "What is the brand?"), (34603, "0054c91a", "Who made it?"))
        ]
        read = [{"image_id": "0054c91a", "ocr_tokens": ["NOKIA", "N70"], "ocr_info": []}]
        change(asked, read)
        head = {"dataset_type": split, "dataset_name": "textvqa"}
        write_json(head | {"data": asked}, f"own/TextVQA_0.5.1_{split}.json")
        write_json(head | {"data": read}, f"own/TextVQA_Rosetta_OCR_v0.2_{split}.json")
        return tmp_path / "own"

    return write


def test_textvqas_own_files(textvqa):
    folder = textvqa()
    (folder / "train_images").mkdir()
    Image.new("RGB", (7, 4)).save(folder / "train_images/0054c91a.jpg")
    for data in (folder, folder / "TextVQA_0.5.1_val.json"):
        loaded = load_suite("textvqa", data)
        assert [sample.id for sample in loaded.samples] == ["34602", "34603"]
        assert [sample.record for sample in loaded.samples] == ["003a8ae2", "0054c91a"]
        assert [sample.image for sample in loaded.samples] == ["003a8ae2.jpg", "0054c91a.jpg"]
        assert loaded.queries[1].text.startswith("Who made it?\nAnswer")
        assert loaded.gold[1].answers == tuple(TEN)
        assert loaded.pictures.open(loaded.queries[1].image).width == 7


def test_what_ocr_read_is_joined_by_picture(textvqa):
    folder = textvqa(lambda asked, read: read.insert(0, {"image_id": "003a8ae2", "ocr_tokens": []}))
    first, second = load_suite("textvqa-ocr", folder).queries
    assert "\nReference OCR token: \n" in first.text
    assert "\nReference OCR token: NOKIA, N70\n" in second.text


def test_the_validation_split_is_taken_unless_the_other_is_named(textvqa):
    textvqa(lambda asked, read: asked.pop(), split="train")
    folder = textvqa()
    assert len(load_suite("textvqa", folder).samples) == 2
    assert len(load_suite("textvqa", folder / "TextVQA_0.5.1_train.json").samples) == 1


@pytest.mark.parametrize(
    ("suite", "change", "problem"),
    [
        ("textvqa", lambda a, r: a[1].pop("image_id"), r"_val.json: record 2: field 'image_id' is missing"),
        ("textvqa", lambda a, r: a[0].pop("answers"), r"TextVQA_0.5.1_val.json: record 1: field 'answers' is None"),
        ("textvqa", lambda a, r: a.append(3), r"TextVQA_0.5.1_val.json: data\[2\] is 3; valid: an object"),
        ("textvqa", lambda a, r: a[0].update(image_id="../x"), r"record 1: field 'image': .*contains '\.\.'"),
        ("textvqa-ocr", lambda a, r: None, r"val.json: record 1: field 'ocr_tokens' is None; valid: a list of strings"),
        ("textvqa-ocr", lambda a, r: r[0].pop("image_id"), r"OCR_v0.2_val.json: record 1: field 'image_id' is missing"),
    ],
)
def test_textvqas_files_of_another_shape_are_named_by_field(textvqa, suite, change, problem):
    with pytest.raises(UserError, match=problem):
        load_suite(suite, textvqa(change))


def test_two_versions_of_textvqa_are_too_many(textvqa):
    folder = textvqa()
    (folder / "TextVQA_0.5_val.json").write_text("{}")
    with pytest.raises(UserError, match=r"own: has 2 files TextVQA_\[0-9\]\*_val.json; valid: one of them"):
        load_suite("textvqa", folder)
