"""Questions about pictures give a grafted model sight: what is asked, what is trained, and how it is measured."""

from __future__ import annotations

import json

import pytest
import torch
from tests.models.graft.decoders import decoder

import unmirage as um
from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM
from unmirage.models.graft import GraftSettings, assemble, graft
from unmirage.testbed.picture_questions import SHAPE_NAMES, world_questions
from unmirage.testbed.world import COLORS
from unmirage.workflows.graft import TEXT_QUESTIONS, _answers, names_only, questions_of

QUICK = GraftSettings(tower_steps=2, steps=2, batch_size=4)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made():
    assembled = assemble(*decoder())
    return HuggingFaceVLM("a", assembled.model, assembled.processor)


@pytest.mark.parametrize(
    ("response", "answer", "right"),
    [
        ("Red", "Red", True),
        ("The sign is red.", "Red", True),
        ("red, not blue", "Red", False),
        ("Reddish", "Red", False),
        ("Blue", "Red", False),
        ("", "Red", False),
        ("dark red", "Red", True),
        ("dark red", "Dark red", True),
        ("red", "Dark red", False),
    ],
)
def test_a_response_is_right_if_it_names_the_answer_and_no_other(response, answer, right):
    assert names_only(response, answer, ["Red", "Blue", "Dark red"][: 3 if answer != "Red" else 2]) is right


def test_words_that_all_answers_share_do_not_count():
    answers = [f"The sign is {color}." for color in ("red", "blue", "dark blue")]
    assert names_only("It is red", answers[0], answers)
    assert names_only("It has a dark blue color", answers[2], answers)
    assert not names_only("It has a dark blue color", answers[1], answers)
    assert not names_only("The sign is", answers[0], answers)
    assert not names_only("red or blue", answers[0], answers)
    assert names_only("yes, it is", "Yes.", ["Yes.", "No."])
    assert names_only("Red and round.", "It is red and round", ["It is red and round", "It is red and long"]) is True


def test_the_world_s_questions_need_their_pictures():
    questions = world_questions(0, 120, 40)
    assert (len(questions.training), len(questions.held_out)) == (240, 80)
    assert {one.answer.rstrip(".").split()[-1] for one in questions.training} == {*COLORS, *SHAPE_NAMES.values()}
    assert all(len(count) > 3 for count in _answers(questions.training).values())
    train, held = ({one.image for one in some} for some in (questions.training, questions.held_out))
    assert not train & held
    pictures = {questions.images.content(path) for path in train}
    assert len(pictures) == len(train)
    assert not pictures & {questions.images.content(path) for path in held}
    assert all(questions.images.open(path).size == (40, 40) for path in held)
    assert not questions.images.exists("train/00120.png")
    again = world_questions(0, 120, 40)
    assert again.training == questions.training
    assert again.images.content("train/00007.png") == questions.images.content("train/00007.png")
    assert world_questions(1, 120, 40).images.content("train/00007.png") != questions.images.content("train/00007.png")


def test_training_changes_tower_and_projector_only_and_measures_before_and_after():
    vlm, questions = made(), world_questions(0, 30, 12)
    before = {name: one.clone() for name, one in vlm.model.state_dict().items()}
    seen = questions.train(vlm, QUICK, None)
    changed = {name.split(".")[1] for name, one in vlm.model.state_dict().items() if not torch.equal(one, before[name])}
    assert changed == {"vision_tower", "multi_modal_projector"}
    assert (seen.data, seen.questions, seen.pictures, seen.before.n, seen.after.n) == ("world", 60, 30, 24, 24)
    counts = _answers(questions.training)
    best = {query: max(count, key=count.get) for query, count in counts.items()}
    assert seen.chance == pytest.approx(sum(best[one.query] == one.answer for one in questions.held_out) / 24)
    assert 0 < seen.chance < 0.6
    assert seen.seconds > 0
    assert seen.text_before.n == seen.text_after.n == len(TEXT_QUESTIONS)
    assert seen.text_before.k >= seen.text_after.k


def test_narrow_weights_are_trained_in_float32_and_keep_their_precision():
    text, tokenizer = decoder()
    assembled = assemble(text.to(torch.bfloat16), tokenizer)
    before = {name: one.clone() for name, one in text.state_dict().items()}
    vlm = HuggingFaceVLM("a", assembled.model, assembled.processor)
    world_questions(0, 30, 12).train(vlm, QUICK, None)
    assert {one.dtype for one in vlm.model.parameters()} == {torch.bfloat16}
    assert all(torch.equal(one, before[name]) for name, one in text.state_dict().items())


@pytest.mark.slow
def test_the_tower_learns_to_classify_and_its_pictures_read_like_words():
    vlm, questions = made(), world_questions(0, 2, 1)
    settings = GraftSettings(tower_steps=120)
    accuracy = questions.tower(vlm.model, vlm.processor, settings, None)
    assert accuracy > 0.5, "chance is 1/24"
    table, tokenizer = vlm.model.get_input_embeddings().weight, vlm.processor.tokenizer
    words = torch.stack([table[tokenizer(f" {word}")["input_ids"]].mean(0) for word in COLORS])
    shown = world_questions(0, 40, 1)
    right = 0
    for sample in shown.training[::2]:
        pixels = vlm.processor.image_processor([shown.images.open(sample.image)], return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            (tokens,) = vlm.model.get_image_features(pixel_values=pixels).pooler_output
        nearest = int((words - tokens[0]).norm(dim=-1).argmin())
        right += f" {list(COLORS)[nearest]}." in sample.answer
    assert right > 20, "of 40; chance is 7"


def write(folder, rows):
    (folder / "images").mkdir(exist_ok=True)
    shown = world_questions(0, len(rows), 1).images
    for number in range(len(rows)):
        (folder / f"images/{number}.png").write_bytes(shown.content(f"train/{number:05d}.png"))
    records = [{"id": str(n), "image": f"images/{n}.png", **row} for n, row in enumerate(rows)]
    (folder / "qa.json").write_text(json.dumps(records))
    return folder / "qa.json"


def asked(query, answer):
    return {"conversations": [{"from": "human", "value": f"<image>\n{query}"}, {"from": "gpt", "value": answer}]}


def test_a_data_file_is_split_by_picture(tmp_path, caplog):
    rows = [asked("What color?", ("Red", "Blue")[n % 2]) for n in range(20)]
    path = write(tmp_path, rows)
    (tmp_path / "images/3.png").unlink()
    questions = questions_of(path, {}, 0)
    assert (len(questions.training), len(questions.held_out)) == (17, 2)
    assert not {one.image for one in questions.training} & {one.image for one in questions.held_out}
    assert "1 sample without an answer or a readable picture left out" in caplog.text
    assert set(questions.files) == {"qa.json"}
    seen = questions.train(made(), QUICK, None)
    assert (seen.tower_accuracy, seen.before.n) == (None, 2)


def test_data_that_test_no_vision_are_refused(tmp_path):
    path = write(tmp_path, [asked("What color?", "Red") for _ in range(6)])
    with pytest.raises(UserError, match=r"qa.json: no question .* has different answers .* --see world"):
        um.graft(saved_decoder(tmp_path), tmp_path / "vlm", see=path)
    assert not (tmp_path / "vlm").exists()
    path = write(tmp_path, [asked("What color?", "Red")])
    with pytest.raises(UserError, match=r"has 1 picture with a question and an answer; --see needs two"):
        um.graft(saved_decoder(tmp_path), tmp_path / "vlm", see=path)


def saved_decoder(tmp_path):
    model, tokenizer = decoder()
    model.save_pretrained(tmp_path / "lm")
    tokenizer.save_pretrained(tmp_path / "lm")
    return tmp_path / "lm"


def test_options_for_data_need_data(tmp_path):
    for see in ("world", None):
        with pytest.raises(UserError, match="images: used only with a data file"):
            um.graft(tmp_path, tmp_path / "vlm", see=see, images="x")


@pytest.mark.parametrize("name", ["tower_steps", "steps", "batch_size", "learning_rate"])
def test_settings_of_a_training_need_one(tmp_path, name):
    """They would be ignored without a word."""
    with pytest.raises(UserError, match=f"{name}: used only with --see; leave it out"):
        um.graft(tmp_path, tmp_path / "vlm", **{name: 1})


def test_a_data_file_has_no_labels_for_the_tower(tmp_path):
    path = write(tmp_path, [asked("What color?", "Red")])
    with pytest.raises(UserError, match="tower_steps: used only with --see world"):
        um.graft(tmp_path, tmp_path / "vlm", see=path, tower_steps=3)


def test_a_mistyped_world_is_named(tmp_path):
    with pytest.raises(UserError, match="wrold: no such file; --see takes world, or a data file"):
        um.graft(tmp_path, tmp_path / "vlm", see="wrold")


def test_a_failed_training_leaves_nothing(tmp_path):
    class Failing:
        def train(self, vlm, settings, progress):
            raise UserError("no")

    with pytest.raises(UserError, match="no"):
        graft(saved_decoder(tmp_path), tmp_path / "vlm", see=Failing())
    assert [path.name for path in tmp_path.iterdir()] == ["lm"]
