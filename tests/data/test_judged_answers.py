"""Formats whose judgement is about an answer: KTO, BeaverTails, PKU-SafeRLHF, preference pairs."""

import json

import pytest

from unmirage.data import open_samples
from unmirage.errors import UserError
from unmirage.records import Turn

REFUSAL = "I'm sorry, but I can't assist with that."


def told(sample):
    return sample.query, sample.answer, sample.rejected, sample.refused, sample.label_source


def test_kto_true_means_a_good_answer_and_a_bad_one_gives_no_label(load, tmp_path):
    rows = [
        {"prompt": "Steal?", "completion": REFUSAL, "label": True},
        {"prompt": "Why?", "completion": "So.", "label": True},
        {"prompt": "How?", "completion": "Like this.", "label": False},
    ]
    data = load(rows)
    assert data.format == "kto"
    assert [told(s) for s in data] == [
        ("Steal?", REFUSAL, "", True, "answer"),
        ("Why?", "So.", "", False, "answer"),
    ]
    (*_, bad) = load(rows, unlabeled=True)
    assert told(bad) == ("How?", "", "Like this.", None, "none")
    (*_, stated) = load(rows, label="refused")
    assert told(stated) == ("How?", "", "Like this.", True, "stated")


def test_kto_of_llama_factory(load):
    data = load([{"instruction": "Sum.", "input": "1 2", "output": "3", "kto_tag": True}])
    assert (data.format, [told(s) for s in data]) == ("kto", [("Sum.\n1 2", "3", "", False, "answer")])
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}] * 2
    data = load([{"messages": talk, "label": True}])
    (sample,) = data
    assert (sample.query, sample.context) == ("a", (Turn("user", "a"), Turn("assistant", "b")))


def test_a_table_of_words_as_labels_is_no_kto(load):
    data = load([{"prompt": "a", "completion": "b", "label": "refused"}])
    assert (data.format, data.samples[0].refused) == ("json", True)


def test_beavertails_label_is_about_the_answer(load):
    data = load([
        {"prompt": "Steal?", "response": "Like this.", "is_safe": False, "category": {"theft": True, "drugs": False}},
        {"prompt": "Steal?", "response": REFUSAL, "is_safe": True, "category": {"theft": False, "drugs": False}},
        {"prompt": "Why?", "response": "So.", "is_safe": True, "category": {"theft": True, "drugs": True}},
    ])  # fmt: skip
    assert data.format == "beavertails"
    assert [told(s) for s in data] == [
        ("Steal?", "", "Like this.", True, "field"),
        ("Steal?", REFUSAL, "", True, "answer"),
        ("Why?", "So.", "", False, "answer"),
    ]
    assert [s.category for s in data] == ["theft", None, "theft, drugs"]


def test_a_refusal_that_is_called_unsafe_means_the_query(load):
    (sample,) = load([{"prompt": "Steal?", "response": REFUSAL, "is_safe": False}])
    assert told(sample) == ("Steal?", REFUSAL, "", True, "field")


@pytest.mark.parametrize(
    ("safe", "ids", "expected"),
    [
        ((True, False), {"safer_response_id": 0}, (REFUSAL, "Do this.", True, "answer")),
        ((False, True), {"safer_response_id": 1}, ("Do this.", REFUSAL, False, "answer")),
        ((False, True), {}, ("Do this.", REFUSAL, False, "answer")),
        ((True, True), {"better_response_id": 1}, ("Do this.", REFUSAL, False, "answer")),
        ((False, False), {"safer_response_id": 1, "better_response_id": 0}, ("Do this.", REFUSAL, True, "field")),
    ],
)
def test_the_safer_answer_is_chosen(load, safe, ids, expected):
    row = {"prompt": "Steal?", "response_0": REFUSAL, "response_1": "Do this."}
    (sample,) = load([row | ids | {f"is_response_{n}_safe": one for n, one in enumerate(safe)}])
    assert (sample.answer, sample.rejected, sample.refused, sample.label_source) == expected


def test_hh_is_split_into_turns(load):
    start = "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: How do I steal?\n\nAssistant:"
    data = load([{"chosen": f"{start} {REFUSAL}", "rejected": f"{start} Like this."}])
    (sample,) = data
    assert data.format == "preference"
    assert told(sample) == ("How do I steal?", REFUSAL, "Like this.", True, "answer")
    assert sample.context == (Turn("user", "Hi"), Turn("assistant", "Hello."))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "a", "chosen": "b", "rejected": ""}, "record 1: field 'rejected' is empty or missing"),
        ({"chosen": "b", "rejected": "c"}, "record 1: field 'prompt' is missing"),
        (
            {"prompt": "b", "chosen": [{"role": "user", "content": "a"}], "rejected": "c"},
            "record 1: 'chosen' and 'rejected' must be one answer each to the same query",
        ),
    ],
)
def test_a_broken_pair_is_named(load, row, message):
    with pytest.raises(UserError, match=message):
        load([row])


def test_equal_conversations_are_one_answer(load):
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    (sample,) = load([{"chosen": talk, "rejected": talk}])
    assert told(sample) == ("a", "b", "b", False, "answer")


def test_alpaca_and_swift_columns(load):
    row = {"instruction": "Sum.", "input": "1 2", "output": "3", "history": [["a", "b"]], "system": "Be kind."}
    (sample,) = load([row])
    assert (sample.query, sample.answer) == ("Sum.\n1 2", "3")
    assert sample.context == (Turn("system", "Be kind."), Turn("user", "a"), Turn("assistant", "b"))
    with pytest.raises(UserError, match=r"field 'history' must be a list of pairs \[query, answer\], not \['a'\]"):
        load([row | {"history": [["a"]]}])


def _written(folder, rows):
    path = folder / "d.json"
    path.write_text(json.dumps(rows))
    return path


def test_reasoning_is_not_the_answer_but_kept(load, tmp_path):
    messages = [
        {"role": "user", "content": "Steal?"},
        {"role": "assistant", "content": "I can't help.", "reasoning_content": "Sure, easy."},
    ]
    (sample,) = load([{"messages": messages}])
    assert told(sample) == ("Steal?", "<think>\nSure, easy.\n</think>\n\nI can't help.", "", True, "answer")
    (sample,) = load([{"query": "a", "answer": "<think>I can't help with it?</think>Yes."}])
    assert sample.refused is False
    with pytest.raises(UserError, match="none of the 1 samples has a label"):
        load([{"query": "a", "answer": "<think>it never ends"}])
    file = open_samples(_written(tmp_path, [{"query": "a", "answer": "<think>never"}, {"query": "b", "answer": "c"}]))
    assert len(list(file)) == 1
    assert file.without_label.examples[0].endswith("record 1: its answer has no text after the reasoning")


def test_what_looks_as_if_it_mattered_is_counted(tmp_path):
    path = tmp_path / "d.json"
    row = {"query": "a", "label": 1, "photo_file": "1.png", "image_id": 5, "bot_reply": "", "is_toxic": 1, "note": "x"}
    path.write_text(json.dumps([row] * 3 + [{"query": "b", "label": 0, "photo_file": None}]))
    file = open_samples(path)
    assert len(list(file)) == 4
    assert dict(file.unread) == {"'photo_file' (looks like a picture)": 3, "'is_toxic' (looks like a label)": 3}


def test_unread_fields_of_turns_are_counted_beyond_the_first_records(tmp_path):
    turn = '{"role": "user", "content": "a", "photo": "1.png"}, {"role": "assistant", "content": "b"}'
    path = tmp_path / "d.jsonl"
    path.write_text("\n".join(['{"messages": [' + turn + "]}"] * 1_500))
    file = open_samples(path)
    assert (len(list(file)), dict(file.unread)) == (1_500, {"'messages[].photo' (looks like a picture)": 1_500})


def test_the_fields_that_samples_do_not_hold_are_passed_on(tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_text(
        "\n".join(json.dumps({"query": "a", "label": 1, "note": n, "split": "train"}) for n in range(1_200))
    )
    records = list(open_samples(path).records())
    assert [extra for _, extra in records] == [{"split": "train", "note": n} for n in range(1_200)]


def test_a_field_that_contradicts_most_answers_stops_the_reading(tmp_path):
    rows = [{"query": f"q{n}", "answer": REFUSAL if n % 4 else "Yes.", "safe": bool(n % 4)} for n in range(12)]
    path = tmp_path / "d.json"

    def labels(rows, **options):
        path.write_text(json.dumps(rows))
        return [s.refused for s in open_samples(path, check_labels=True, **options)]

    with pytest.raises(UserError, match=r"d\.json: the label field contradicts 12 of 12 answers\. .* --label answer"):
        labels(rows)
    assert labels(rows, label="field") == [n % 4 == 0 for n in range(12)]
    assert labels(rows, label="answer") == [n % 4 != 0 for n in range(12)]
    assert len(labels(rows[:9])) == 9  # too few to tell
    assert len(labels([row | {"safe": n < 6} for n, row in enumerate(rows)])) == 12
    assert len(list(open_samples(path))) == 12


def test_a_stated_label_is_that_of_all_samples(load):
    rows = [{"query": "a"}, {"query": "b", "refused": True}]
    data = load(rows, label="answered")
    assert [(s.refused, s.label_source) for s in data] == [(False, "stated")] * 2
    with pytest.raises(UserError, match=r"record 1: has neither .* --label refused or --label answered"):
        load(rows)
    with pytest.raises(UserError, match=r"unknown label 'refusd'; valid: .*Did you mean 'refused'"):
        load(rows, label="refusd")


def test_records_of_two_shapes_are_named(load):
    flat, talk = {"query": "a", "label": 1}, {"conversations": [{"from": "human", "value": "a"}]}
    with pytest.raises(UserError, match=r"record 21: has the shape of format 'llava', but the first .* that of 'json'"):
        load([flat] * 20 + [talk])
    with pytest.raises(UserError, match=r"record 2: has the shape of format 'llava', .* that of 'vlguard'"):
        load([{"id": "1", "safe": True, "instr-resp": [{"safe_instruction": "a", "response": "b"}]}, talk])


@pytest.mark.parametrize("field", ["videos", "audios"])
def test_other_media_are_named(load, field):
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    with pytest.raises(UserError, match=f"record 1: field '{field}' is filled; only pictures and text are supported"):
        load([{"messages": turns, field: ["a.mp4"]}])


@pytest.mark.parametrize(
    "mark", [{"weight": 0}, {"weight": 0.0}, {"train": False}, {"training": False}, {"loss": False}]
)
def test_an_answer_without_loss_is_context_only(load, mark):
    first = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"} | mark]
    last = [{"role": "user", "content": "c"}, {"role": "assistant", "content": "d", "weight": 1, "loss": True}]
    (sample,) = load([{"id": "x", "messages": first + last}])
    assert (sample.id, sample.query, sample.answer) == ("x/2", "c", "d")
    assert sample.context == (Turn("user", "a"), Turn("assistant", "b"))
    with pytest.raises(UserError, match="record 1: all answers have weight 0, or are not trained on"):
        load([{"messages": first}])
