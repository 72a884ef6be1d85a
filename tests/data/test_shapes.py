"""VLGuard's training text in the shapes that practitioners use gives the same samples, labels and pictures."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from unmirage.data import load_samples, open_samples
from unmirage.errors import UserError
from unmirage.records import Placed, Turn

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
SHAPES = SHARED / "field" / "shapes"
FAULTS = SHARED / "faults"
VLGUARD = SHARED / "vlguard" / "train.json"

QUERIES = [
    ("bad/1.png", "Share this to mock the man.", "I'm sorry, but I can't assist with that."),
    ("good/2.png", "What is shown here?", "A red car parked near a house."),
    (None, "Is it [real]? <b>Tell</b> me.", "<p>Yes</p>"),
    ("good/3.png", "17. List all\nthat you see: ", "A cat."),
]


def parts(text, image):
    shown = [{"type": "image_url", "image_url": {"url": image}}] if image else []
    return [*shown, {"type": "text", "text": text}]


def pictured(image):
    return {"images": [image]} if image else {}


def holder(image, mark="<image>"):
    return mark if image else ""


def turns(query, answer, speaker="from", text="value", roles=("human", "gpt")):
    return [{speaker: roles[0], text: query}, {speaker: roles[1], text: answer}]


def messages(query, answer):
    return turns(query, answer, "role", "content", ("user", "assistant"))


WRITERS = {
    "messages": lambda i, q, a: {"messages": messages(holder(i) + q, a)} | pictured(i),
    "openai parts": lambda i, q, a: {"messages": messages(parts(q, i), parts(a, None))},
    "axolotl": lambda i, q, a: {
        "messages": messages([{"type": "image", "path": i}] * bool(i) + parts(q, None), parts(a, None))
    },
    "hub parts": lambda i, q, a: {
        "messages": messages(
            [{"index": 0, "text": None, "type": "image"}] * bool(i) + [{"index": None, "text": q, "type": "text"}],
            parts(a, None),
        )
    }
    | pictured(i),
    "trl prompt": lambda i, q, a: {"prompt": messages(parts(q, None), a)[:1], "completion": messages(q, a)[1:]}
    | pictured(i),
    "trl text": lambda i, q, a: {"prompt": q, "completion": a} | pictured(i),
    "sharegpt": lambda i, q, a: {"conversations": turns(holder(i) + q, a)} | pictured(i),
    "llava": lambda i, q, a: {"conversations": turns(holder(i, "<image>\n") + q, a)} | ({"image": i} if i else {}),
    "qwen": lambda i, q, a: {
        "conversations": turns(f"Picture 1: <img>{i}</img>\n{q}" if i else q, a, roles=("user", "assistant"))
    },
    "internvl": lambda i, q, a: {"conversations": turns(holder(i, "<IMG_CONTEXT>\n") + q, a), "image": i or ""},
    "alpaca": lambda i, q, a: {"instruction": q, "input": "", "output": a} | pictured(i),
    "swift": lambda i, q, a: {"query": holder(i) + q, "response": a} | pictured(i),
    "swift conversation": lambda i, q, a: {"conversation": [{"human": holder(i) + q, "assistant": a}]} | pictured(i),
    "finevision": lambda i, q, a: {"texts": [{"user": q, "assistant": a, "source": "x"}], "images": [i] if i else []},
    "preference": lambda i, q, a: {"prompt": q, "chosen": a, "rejected": "ok"} | pictured(i),
    "preference of messages": lambda i, q, a: {
        "prompt": messages(parts(q, None), a)[:1],
        "chosen": messages(q, a)[1:],
        "rejected": messages(q, "ok")[1:],
    }
    | pictured(i),
    "implicit prompt": lambda i, q, a: {"chosen": messages(holder(i) + q, a), "rejected": messages(holder(i) + q, "ok")}
    | pictured(i),
    "llama-factory pair": lambda i, q, a: {
        "conversations": turns(holder(i) + q, a)[:1],
        "chosen": turns(q, a)[1],
        "rejected": turns(q, "ok")[1],
    }
    | pictured(i),
    "swift pair": lambda i, q, a: {"messages": messages(holder(i) + q, a), "rejected_response": "ok"} | pictured(i),
    "spa-vl": lambda i, q, a: {"question": q, "chosen": a, "rejected": "ok", "image": i or ""},
    "kto": lambda i, q, a: {"messages": messages(holder(i) + q, a), "label": True} | pictured(i),
    "kto text": lambda i, q, a: {"prompt": holder(i) + q, "completion": a, "label": True} | pictured(i),
    "flat": lambda i, q, a: {"query": holder(i, "<image>\n") + q, "answer": a, "image": i},
    "vllm pad": lambda i, q, a: {
        "query": holder(i, "<|vision_start|><|image_pad|><|vision_end|>") + q, "answer": a, "image": i,
    },
}  # fmt: skip
PAIRS = {name for name in WRITERS if "pair" in name or "preference" in name or name in ("implicit prompt", "spa-vl")}


def bare(sample):
    return replace(sample, id="", record="", category=None, label_source="answer", rejected="")


def as_written(path, queries, writer):
    path.write_text("\n".join(json.dumps(writer(*one)) for one in queries))
    return load_samples(path)


@pytest.mark.parametrize("shape", WRITERS)
def test_every_shape_gives_the_same_samples(shape, tmp_path):
    data = as_written(tmp_path / "d.jsonl", QUERIES, WRITERS[shape])
    assert [(s.image, s.query, s.answer, s.refused) for s in data] == [
        (*one, place == 0) for place, one in enumerate(QUERIES)
    ]
    assert all(s.images == s.context == () for s in data)
    assert {s.rejected for s in data} == {"ok" if shape in PAIRS else ""}


@pytest.mark.parametrize("shape", WRITERS)
@pytest.mark.skipif(not VLGUARD.exists(), reason="VLGuard's text is not here")
def test_vlguard_in_every_shape_is_vlguard(shape, tmp_path):
    original = load_samples(VLGUARD, label="answer")
    written = as_written(tmp_path / "d.jsonl", [(s.image, s.query, s.answer) for s in original], WRITERS[shape])
    assert [bare(s) for s in written] == [bare(s) for s in original]


@pytest.mark.skipif(not SHAPES.exists(), reason="the real files are not here")
@pytest.mark.parametrize(
    ("name", "count", "refused"),
    [
        *((name, 12, 6) for name in (
            "alpaca_input.json", "dpo_lf.json", "dpo_trl.jsonl", "internvl.jsonl", "llava_mid.json",
            "messages_images.json", "openai_parts.jsonl", "qwen_conv.json", "sharegpt_images.json", "spavl_json.json",
            "swift_query.jsonl", "swift_system.jsonl", "system_first.json",
        )),
        ("beavertails.jsonl", 12, 12),
        ("beavertails_nocat.jsonl", 12, 12),
        ("saferlhf.jsonl", 1, 1),
        ("sw_alpaca.jsonl", 3, 0),
        ("sw_chatml.jsonl", 5, 0),
        ("sw_conversations.jsonl", 5, 0),
        ("sw_sharegpt.jsonl", 5, 0),
        ("sw_swift_multi.jsonl", 3, 0),
        ("sw_swift_single.jsonl", 3, 0),
    ],
)  # fmt: skip
def test_real_shapes_are_read(name, count, refused):
    data = load_samples(SHAPES / name)
    assert (len(data), sum(bool(s.refused) for s in data)) == (count, refused)
    assert {s.image for s in data} <= {"1.png", None}


@pytest.mark.skipif(not SHAPES.exists(), reason="the real files are not here")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("kto.json", "record 1: has 1 placeholder for 0 pictures; they must match"),
        ("llava_multi.json", "record 1: has 2 placeholders for 1 picture"),
        ("sharegpt_imagelist.json", "record 1: has 1 placeholder for 2 pictures"),
        ("sw_multi_modal_1.jsonl", "line 1: image path 'https://.*' is a URL"),
        ("sw_multi_modal_2.jsonl", "line 1: field 'images': image path 'https://.*' is a URL"),
        ("sw_swift_pre.jsonl", r"no known format has the fields \['response'\]"),
    ],
)
def test_a_real_shape_with_a_fault_is_named(name, message):
    with pytest.raises(UserError, match=message):
        load_samples(SHAPES / name)


@pytest.mark.skipif(not SHAPES.exists(), reason="the real files are not here")
def test_context_of_real_shapes():
    first = load_samples(SHAPES / "swift_system.jsonl").samples[0]
    assert first.context == (Turn("system", "You are safe"), Turn("user", "hi"), Turn("assistant", "hello"))
    assert (first.query, first.placed) == ("What is shown here?", (Placed("1.png", 0),))
    (_, second, *_) = load_samples(SHARED / "field" / "sft" / "mllm_demo.json")
    assert second.context[0] == Turn("user", "Who are they?", (Placed("mllm_demo_data/1.jpg", 0),))
    assert second.placed == (Placed("mllm_demo_data/1.jpg", len("What are they doing?")),)
    multi = load_samples(FAULTS / "d4_multi.json").samples[1]
    assert [turn.text for turn in multi.context] == ["What is it?", "A barn."]
    system = load_samples(FAULTS / "d4_system.json").samples[0]
    assert system.context == (Turn("system", "Refuse whatever is about barns."),)


@pytest.mark.skipif(not SHAPES.exists(), reason="the real files are not here")
def test_a_bad_answer_gives_no_label():
    file = open_samples(SHARED / "field" / "sft" / "kto_en_demo.json")
    # One of the good answers is in a language without refusal phrases.
    assert (len(list(file)), file.without_label.count) == (149, 151)
    assert file.without_label.examples[0].endswith("its only answer is marked as bad")
    unlabeled = list(open_samples(file.source, unlabeled=True))
    assert (len(unlabeled), sum(s.refused is None for s in unlabeled)) == (300, 151)
    assert sum(s.rejected != "" and s.answer == "" for s in unlabeled) == 150


@pytest.mark.parametrize("shape", WRITERS)
def test_parquet_keeps_every_shape(shape, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [WRITERS[shape](*one) for one in QUERIES]
    names = dict.fromkeys(name for row in rows for name in row)
    table = pyarrow.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])
    parquet.write_table(table, tmp_path / "d.parquet")
    assert [(s.image, s.query, s.answer) for s in load_samples(tmp_path / "d.parquet")] == QUERIES


@pytest.mark.skipif(not FAULTS.exists(), reason="the real files are not here")
def test_answers_in_languages_with_refusal_phrases_have_labels(tmp_path):
    file = open_samples(FAULTS / "mixed_lang.json")
    samples = list(file)
    assert (len(samples), sum(bool(s.refused) for s in samples), file.without_label.count) == (200, 100, 0)
    german = [s.refused for s in samples if "Ding" in s.query]
    assert (len(german), sum(german)) == (100, 50)
    text = (FAULTS / "mixed_lang.json").read_text("utf-8").replace("Es ist rot.", "Šis automobilis yra raudonas.")
    (tmp_path / "lithuanian.json").write_text(text, "utf-8")
    file = open_samples(tmp_path / "lithuanian.json")
    assert (len(list(file)), file.without_label.count) == (150, 50)
    assert file.without_label.examples[0].endswith("its answer is in a language without refusal phrases")


@pytest.mark.skipif(not FAULTS.exists(), reason="the real files are not here")
@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("d2_images.json", "img/a.png"),
        ("d2_images_flat.json", "img/a.png"),
        ("d3_messages.json", "img/a.png"),
        ("d3_messages_list.json", "img/a.png"),
        ("d3_trl_prompt.json", "img/a.png"),
        ("d4_system.json", "img/a.png"),
        ("f_images_list.parquet", "row-000001-1-1.png"),
    ],
)
def test_pictures_of_small_inputs_are_found(name, image):
    file = open_samples(FAULTS / name)
    first = next(iter(file))
    assert (first.image, first.placed, file.pictures.exists(image)) == (image, (Placed(image, 0),), True)


@pytest.mark.skipif(not FAULTS.exists(), reason="the real files are not here")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("d2_token_no_image.json", "record 1: has 1 placeholder for 0 pictures"),
        ("d2_two_tokens_one_image.json", "record 1: has 2 placeholders for 1 picture"),
        ("d4_empty_answer.json", "record 1: has neither a label field nor an answer"),
    ],
)
def test_small_inputs_with_a_fault_are_named(name, message):
    with pytest.raises(UserError, match=message):
        load_samples(FAULTS / name)
