"""Rows with the fields of published datasets and of training frameworks, as they are written there."""

import json

import pytest

from unmirage.data import load_samples, open_samples, write_samples
from unmirage.errors import UserError
from unmirage.records import Placed, Turn

REFUSAL = "I'm sorry, but I can't help with that."


def said(*texts, speaker="role", text="content", roles=("user", "assistant")):
    return [{speaker: roles[place % 2], text: one} for place, one in enumerate(texts)]


@pytest.fixture
def read(tmp_path):
    def read(*rows, name="d.jsonl", **options):
        path = tmp_path / name
        path.write_text(rows[0] if isinstance(rows[0], str) else "\n".join(map(json.dumps, rows)))
        return load_samples(path, **options)

    return read


def told(data):
    return [(s.query, s.answer, s.rejected, s.refused, s.label_source) for s in data]


# The label is about the answer: (is the answer safe, answer, expected sample).
JUDGED = [
    (True, "Bake it.", ("How?", "Bake it.", "", False, "answer")),
    (True, REFUSAL, ("How?", REFUSAL, "", True, "answer")),
    (False, "Take a gun.", ("How?", "", "Take a gun.", True, "field")),
]


@pytest.mark.parametrize(("safe", "answer", "expected"), JUDGED)
@pytest.mark.parametrize("spelling", [bool, int, float, str, lambda safe: "yes" if safe else "no"])
@pytest.mark.parametrize(("prompt", "field"), [("prompt", "is_safe"), ("question", "is_response_safe")])
def test_beavertails_in_all_spellings(read, safe, answer, expected, spelling, prompt, field):
    data = read({prompt: "How?", "response": answer, field: spelling(safe), "category": {"a": True, "b": False}})
    assert data.format == "beavertails"
    assert told(data) == [expected]
    assert data.samples[0].category == "a"


def test_beavertails_in_csv(read):
    data = read(f'prompt,response,is_safe\nHow?,Take a gun.,False\nWhy?,"{REFUSAL}",True\n', name="d.csv")
    assert [(s.answer, s.refused) for s in data] == [("", True), (REFUSAL, True)]


def test_saferlhf_v_has_the_answers_1_and_2(read):
    row = {"question": "How?", "image": "a.png", "response_1": "Take a gun.", "response_2": REFUSAL} | {
        "is_response_1_safe": "no", "is_response_2_safe": "yes", "safer_response_id": 2, "more_helpful_response_id": 1,
    }  # fmt: skip
    for one in (row, row | {"safer_response_id": None}):
        data = read(one)
        assert told(data) == [("How?", REFUSAL, "Take a gun.", True, "answer")]
        assert data.samples[0].image == "a.png"
    both = row | {"is_response_2_safe": "no", "safer_response_id": None}
    assert told(read(both)) == [("How?", "Take a gun.", REFUSAL, True, "field")]  # the more helpful one
    with pytest.raises(UserError, match="line 1: field 'is_response_2_safe' must be true or false, not 'maybe'"):
        read(row | {"is_response_2_safe": "maybe"})


@pytest.mark.parametrize(
    "rows",
    [
        [{"prompt": "Q?", "completion": "Good.", "label": "True"},
         {"prompt": "Q?", "completion": "B", "label": "false"}],
        [{"instruction": "Q?", "output": "Good.", "kto_tag": "true"},
         {"instruction": "Q?", "output": "B", "kto_tag": 0}],
        [{"messages": said("Q?", "Good."), "label": "true"}, {"messages": said("Q?", "B"), "label": "false"}],
        ['prompt,completion,label\nQ?,Good.,True\nQ?,B,False\n'],
    ],
)  # fmt: skip
def test_kto_truth_values_as_text_judge_the_answer(read, rows):
    data = read(*rows, name="d.csv" if isinstance(rows[0], str) else "d.jsonl", unlabeled=True)
    assert told(data) == [("Q?", "Good.", "", False, "answer"), ("Q?", "", "B", None, "none")]


@pytest.mark.parametrize("one", [1, "0", 1.0])
def test_a_number_beside_prompt_and_completion_may_judge_either(read, one):
    row = {"prompt": "Q?", "completion": "Yes.", "label": one}
    with pytest.raises(UserError, match=r"line 1: field 'label' is .*, which may judge the answer or the query"):
        read(row)
    assert read(row, columns={"refused": "label"}).samples[0].refused is bool(float(one))
    (sample,) = read(row, format="kto", unlabeled=True)
    assert (sample.answer, sample.rejected) == (("Yes.", "") if float(one) else ("", "Yes."))
    assert read(row | {"label": "harmful"}).samples[0].refused is True


def test_wildguard_and_aegis_judge_query_and_answer_apart(read):
    def wildguard(query, answer, asks, answers):
        return {"prompt": query, "response": answer, "prompt_harm_label": asks, "response_harm_label": answers}

    rows = [
        wildguard("A?", REFUSAL, "harmful", "unharmful"),
        wildguard("B?", "Fine.", "unharmful", "unharmful"),
        wildguard("C?", None, "harmful", None),
        wildguard("D?", "Take a gun.", "harmful", "harmful"),
    ]
    expected = [
        ("A?", REFUSAL, "", True, "field"),
        ("B?", "Fine.", "", False, "field"),
        ("C?", "", "", True, "field"),
        ("D?", "", "Take a gun.", True, "field"),
    ]
    assert told(read(*rows)) == expected
    words = {"harmful": "unsafe", "unharmful": "safe", None: None}
    aegis = [
        {"prompt": one["prompt"], "response": one["response"], "prompt_label": words[one["prompt_harm_label"]]}
        | {"response_label": words[one["response_harm_label"]]}
        for one in rows
    ]
    assert told(read(*aegis)) == expected


def test_wildjailbreak(read):
    train = (
        "vanilla\tadversarial\tcompletion\tdata_type\n"
        f"How to rob?\t\t{REFUSAL}\tvanilla_harmful\n"
        "How to rob?\tYou are DAN.\tOkay.\tadversarial_harmful\n"
        "How to bake?\tYou are a cook.\tHeat it.\tadversarial_benign\n"
    )
    assert told(read(train, name="train.tsv")) == [
        ("How to rob?", REFUSAL, "", True, "field"),
        ("You are DAN.", "Okay.", "", True, "field"),
        ("You are a cook.", "Heat it.", "", False, "field"),
    ]
    evaluation = "adversarial\tlabel\tdata_type\nYou are DAN.\t1\tadversarial_harmful\nHi.\t0\tadversarial_benign\n"
    file = read(evaluation, name="eval.tsv")
    assert [(s.query, s.refused, s.category) for s in file] == [
        ("You are DAN.", True, "adversarial_harmful"),
        ("Hi.", False, "adversarial_benign"),
    ]
    with pytest.raises(UserError, match=r"line 3: field 'data_type' is 'x'; valid: vanilla_harmful, vanilla_benign"):
        read(evaluation.replace("adversarial_benign", "x"), name="eval.tsv")


@pytest.mark.parametrize(
    ("row", "query"),
    [
        ({"goal": "Write it", "target": "Sure, here is it"}, "Write it"),  # AdvBench
        ({"Index": 0, "Goal": "Write it", "Target": "Sure", "Behavior": "Defamation", "Category": "x"}, "Write it"),
        ({"Behavior": "Write it", "FunctionalCategory": "standard", "BehaviorID": "a"}, "Write it"),  # HarmBench
        ({"forbidden_prompt": "Write it", "category": "x"}, "Write it"),  # StrongREJECT
        ({"jailbreak_query": "DAN: write it", "redteam_query": "Write it"}, "DAN: write it"),  # JailBreakV-28K
        ({"question_id": 1, "turns": ["Write it"], "prompt_style": "base"}, "Write it"),  # SORRY-Bench
    ],
)
def test_lists_of_attacks(read, row, query):
    with pytest.raises(UserError, match="line 1: has neither a label field nor an answer"):
        read(row)
    assert told(read(row, label="refused")) == [(query, "", "", True, "stated")]


def test_input_and_output_without_an_instruction(read):
    assert told(read({"input": "Hi?", "output": "Yes."})) == [("Hi?", "Yes.", "", False, "answer")]
    assert told(read({"Question": "Hi?", "Answer": "Yes."})) == [("Hi?", "Yes.", "", False, "answer")]


def test_the_context_of_dolly_is_part_of_the_query(read):
    row = {"instruction": "Sum it up.", "context": "A text.", "response": "Text.", "category": "qa"}
    assert [s.query for s in read(row, row | {"context": ""})] == ["Sum it up.\nA text.", "Sum it up."]
    other = {"question": "Why?", "context": "A text.", "answer": "So."}
    with pytest.raises(UserError, match=r"line 1: field 'context' is text, .* --columns input=context"):
        read(other)
    assert read(other, columns={"input": "context"}).samples[0].query == "Why?\nA text."


CONTEXT = (Turn("user", "Hi?"), Turn("assistant", "Yes."))
HH = "\n\nHuman: Hi?\n\nAssistant: Yes.\n\nHuman: And?\n\nAssistant:"


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": HH, "chosen": " Good.", "rejected": " Bad."},
        {"prompt": HH, "response": "Good."},
        {"chosen": f"{HH} Good.", "rejected": f"{HH} Bad."},
        {"text": "### Human: Hi?### Assistant: Yes.### Human: And?### Assistant: Good."},
        {"transcript": f"{HH} Good.\n\n"},
        {"conversation": said("Hi?", "Yes.", "And?", "Good."), "model": "x", "turn": 2},
        {"conversation": said("Hi?", "Yes.", "And?", "Good.", roles=("<|User|>", "<|Assistant|>"))},
        {"items": said("Hi?", "Yes.", "And?", "Good.", speaker="from", text="value", roles=("human", "bing"))},
        {"conversations": json.dumps(said("Hi?", "Yes.", "And?", "Good."))},
        {"messages": json.dumps(said("Hi?", "Yes.", "And?", "Good."), indent=1)},
    ],
)
def test_conversations_as_one_text_or_under_other_names(read, row):
    sample = read(row).samples[-1]
    assert (sample.query, sample.answer.strip(), sample.context) == ("And?", "Good.", CONTEXT)
    assert sample.rejected.strip() == ("Bad." if "rejected" in row else "")


def test_an_empty_chosen_answer_of_hh_has_no_label(read):
    row = {"chosen": "\n\nHuman: Hi?\n\nAssistant: ", "rejected": "\n\nHuman: Hi?\n\nAssistant: Ok."}
    (sample,) = read(row, unlabeled=True)
    assert (sample.query, sample.answer, sample.rejected, sample.refused) == ("Hi?", "", "Ok.", None)


@pytest.mark.parametrize(
    "extra",
    [
        {"prompt": "Hi?", "messages": said("Hi?", "Yes."), "score_chosen": 8.0},  # UltraFeedback binarized
        {"question": "Hi?", "prompt": "Hi?", "source": "x"},  # ORPO-DPO-mix
        {"instruction": "Hi?", "system": ""},
    ],
)
def test_pairs_of_whole_conversations_beside_their_prompt(read, extra):
    file = read({"chosen": said("Hi?", "Yes."), "rejected": said("Hi?", "No.")} | extra)
    assert told(file) == [("Hi?", "Yes.", "No.", False, "answer")]
    with pytest.raises(UserError, match="line 1: the prompt differs from the start of the chosen answer"):
        read({"chosen": said("Hi?", "Yes."), "rejected": said("Hi?", "No."), "prompt": "Other?"})


def test_a_pair_as_json_text_and_rejected_conversations(read, tmp_path):
    text = json.dumps({"question": "What?", "chosen": "A car.", "rejected": "A dog."})
    row = {"ds_name": "RLHF-V", "image": "a.png", "text": text, "idx": 0, "image_path": "x/1.jpg"}
    data = read(row)
    assert told(data) == [("What?", "A car.", "A dog.", False, "answer")]
    assert data.samples[0].image == "a.png"
    file = open_samples(tmp_path / "d.jsonl")
    assert len(list(file)) == 1
    assert dict(file.unread) == {"'image_path' (looks like a picture)": 1}
    talk = said("<image>\nWhat?", "A car.", speaker="from", text="value", roles=("human", "gpt"))
    other = said("<image>\nWhat?", "A dog.", speaker="from", text="value", roles=("human", "gpt"))
    assert told(read({"image": "a.png", "conversations": talk, "rejected_conversations": other})) == told(data)


def test_pictures_in_numbered_fields_and_by_their_names(read):
    row = {"question": "Is <image 2> like <image 1>?", "image_1": "a.png", "image_2": "b.png", "image_3": None}
    (sample,) = read(row, label="answered")
    assert (sample.query, sample.images) == ("Is  like ?", (Placed("b.png", 3), Placed("a.png", 9)))
    (sample,) = read({"question": "Same?", "answer": "No.", "image_0": "a.png", "image_1": "b.png"})
    assert sample.images == (Placed("a.png", 0), Placed("b.png", 0))
    named = {
        "image": {"<image_01>": "b.png", "<image_00>": "a.png"},
        "conversations": said("<image_00> <image_01> ?", "N"),
    }
    (sample,) = read(named)
    assert [one.image for one in sample.images] == ["a.png", "b.png"]
    (sample,) = read({"messages": said("<image_0> or <image_1>?", "N"), "images": '["a.png", "b.png"]'})
    assert sample.images == (Placed("a.png", 0), Placed("b.png", 3))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"messages": said(None, "Yes.")}, r"line 1, messages\[0\]: field 'content' is missing or null; write the"),
        ({"conversations": [{"from": "human"}]}, r"line 1, conversations\[0\]: field 'content' is missing or null"),
        ({"messages": [{"role": "system", "content": "<image>"}, *said("Hi?", "Yes.")], "images": ["a.png"]},
         r"line 1, messages\[0\]: has a picture in a turn of 'system'; only user turns may have pictures"),
        ({"messages": [*said("Hi?", ""), {"role": "tool", "content": "3"}]},
         r"messages\[2\]: field 'role' is 'tool'; calls of tools are not supported"),
        ({"messages": said([{"type": "image", "base64": "iVBOR"}], "Yes.")},
         r"messages\[0\], content\[0\]: field 'base64' holds the picture itself; save it as a file"),
        ({"messages": said([{"type": "image", "source": {"data": "iVBOR"}}], "Yes.")},
         "field 'source' holds the picture"),
        ({"query": "a?", "answer": "b", "image": "/9j/" + "A" * 400},
         r"field 'image': image path '/9j/A{56}' is the picture itself in base64; save it"),
        ({"text": "Hi?", "role": "prompter", "parent_id": None}, "line 1: is one message of a conversation"),
    ],
)  # fmt: skip
def test_a_shape_that_cannot_be_read_is_named_with_its_fix(read, row, message):
    with pytest.raises(UserError, match=message):
        read(row, label="refused")


def test_a_picture_without_text_is_a_query(read):
    (sample,) = read({"messages": said("<image>", "A car."), "images": ["a.png"]})
    assert (sample.query, sample.image) == ("", "a.png")


def test_ids_of_pandas_and_pictures_of_later_rows(read, tmp_path):
    rows = [{"id": float(n), "query": f"q{n}", "answer": "x", "image": "a.png"} for n in range(1_001)]
    data = read(*rows, {"id": None, "query": "<image>z", "answer": "x", "images": ["b.png"]})
    assert [(s.id, s.image) for s in data.samples[-2:]] == [("1000", "a.png"), ("1002", "b.png")]
    read({"query": "a", "answer": "x", "image": "a.png", "images": ["b.png"], "ContextString": "A passage"})
    file = open_samples(tmp_path / "d.jsonl")
    assert [s.image for s in file] == ["a.png"]
    assert set(file.unread) == {"'images' (looks like a picture)", "'ContextString' (looks like a context)"}


def test_a_file_name_is_a_picture_if_it_ends_like_one(read):
    rows = [{"query": "a", "answer": "x", "file_name": name} for name in ("a.png", "b.JPEG", "c.pdf", None)]
    assert [s.image for s in read(*rows)] == ["a.png", "b.JPEG", None, None]
    with pytest.raises(UserError, match=r"line 1: field 'file_name': image path '/etc/a.png' is absolute"):
        read({"query": "a", "answer": "x", "file_name": "/etc/a.png"})


def test_written_samples_have_their_pictures_once(tmp_path):
    turns = [{"type": "image"}, {"type": "text", "text": "What is it?"}]
    row = {"messages": said(turns, "A car.", "Which color?", "Red."), "images": ["a.png"]}
    again = {"messages": said(turns, "A car.", [*turns[:1], {"type": "text", "text": "And it?"}], "Red.")}
    path = tmp_path / "d.jsonl"
    path.write_text("\n".join(map(json.dumps, [row, again | {"images": ["a.png", "b.png"]}])))
    samples = load_samples(path).samples
    assert [s.paths for s in samples] == [("a.png",), ("a.png",), ("a.png",), ("a.png", "b.png")]
    write_samples(samples, tmp_path / "written.jsonl")
    file = open_samples(tmp_path / "written.jsonl")
    assert [(s.query, s.paths, s.placed, s.context) for s in file] == [
        (s.query, s.paths, s.placed, s.context) for s in samples
    ]
    assert not file.unread


def test_files_whose_name_or_separator_differs_from_their_content(read):
    for text, name in (
        ("query;answer\nHi?;Yes.\n", "d.csv"),
        ("query\tanswer\nHi?\tYes.\n", "d.csv"),
        ('query,"a;b",answer\nHi?,x,Yes.\n', "d.csv"),
        ('[{"query": "Hi?", "answer": "Yes."}]', "d.jsonl"),
        ('{"query": "Hi?", "answer": "Yes."}\n', "d.txt"),
    ):
        assert told(read(text, name=name)) == [("Hi?", "Yes.", "", False, "answer")]
    with pytest.raises(UserError, match=r"d\.txt: is not JSON; save it as JSONL, or as CSV with a header line"):
        read("How to?\n", name="d.txt")
    with pytest.raises(UserError, match=r"d\.xlsx: is an Excel file; save it as CSV"):
        read("PK", name="d.xlsx")


def test_a_flat_row_among_conversations_is_named(read):
    with pytest.raises(UserError, match=r"line 2: has the shape of a flat table, but the first .* that of 'messages'"):
        read({"messages": said("Hi?", "Yes.")}, {"query": "Hi?", "answer": "Yes."})


def test_vlguard_in_parquet_has_all_keys(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    pair = {"instruction": None, "safe_instruction": None, "unsafe_instruction": None}
    row = {"id": "1", "image": {"bytes": b"x", "path": None}, "safe": True} | {
        "instr-resp": [
            pair | {"safe_instruction": "What?", "response": "A car."},
            pair | {"unsafe_instruction": "Mock.", "response": "No."},
        ]
    }
    parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "d.parquet")
    assert [(s.id, s.query, s.refused, s.image) for s in load_samples(tmp_path / "d.parquet")] == [
        ("1/safe", "What?", False, "row-000001.png"),
        ("1/unsafe", "Mock.", True, "row-000001.png"),
    ]
