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
    assert loaded.samples[0].record == "1.jpg"
    assert loaded.gold[0].answers == ("unanswerable",) * 10


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        (None, r"field 'answers' is None; valid: a list of 10 answers, as a validation split has"),
        (TEN[:3], r"field 'answers' is 3 answers; valid: a list of 10"),
        ([*TEN[:9], {"text": "red"}], r"field 'answers\[9\]' is \{'text': 'red'\}; valid: text, or an object"),
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
