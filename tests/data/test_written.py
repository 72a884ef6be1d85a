"""Rows keep every field: of the sample, of its record, and those that a remedy adds."""

import datetime
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.data import open_samples, write_json, write_samples, writer_for
from unmirage.data.dialogue import pictured
from unmirage.data.tables import COLUMNS
from unmirage.data.written import Written, rows_of
from unmirage.records import Placed, Sample, Turn

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="<["), max_size=30)
PATHS = st.text("abc/12", min_size=1, max_size=9).map(lambda text: "p" + text)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9)
VALUES = st.none() | st.booleans() | st.integers() | TEXT | st.lists(st.integers(), max_size=2)
# Names that readers know, among them those that identify a format.
KNOWN = sorted(
    {name for names in COLUMNS.values() for name in names}
    | {"images", "context", "rejected", "chosen", "type", "messages", "conversations", "instr-resp", "label", "is_safe",
       "response_0", "completion", "kto_tag", "weight", "provenance", "original_query", "metadata", "note", "focus"}
    | {"Query", "Prompt", "Response_Harm_Label"}
)  # fmt: skip
OTHERS = st.dictionaries(st.sampled_from(KNOWN) | NAMES, VALUES | st.sampled_from(["SSU", "contrast_x"]), max_size=6)


@st.composite
def placed(draw, text):
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [Placed(draw(PATHS), at) for at in places]


@st.composite
def samples(draw):
    query = draw(TEXT)
    context = []
    if draw(st.booleans()):
        context.append(Turn("system", draw(TEXT)))
    for _ in range(draw(st.integers(0, 2))):
        asked = draw(TEXT)
        context += [Turn("user", asked, tuple(draw(placed(asked)))), Turn("assistant", draw(TEXT))]
    name = draw(NAMES)
    return Sample(
        id=name,
        record=draw(NAMES),
        query=query,
        answer=draw(TEXT),
        refused=draw(st.booleans()),
        label_source=draw(st.sampled_from(["field", "answer", "stated"])),
        category=draw(st.none() | NAMES),
        group=draw(st.none() | NAMES),
        rejected=draw(TEXT),
        **pictured(draw(placed(query)), context),
    )


ROWS = st.lists(st.builds(Written, samples(), OTHERS, st.just({})), min_size=1, max_size=4)


@pytest.mark.parametrize(("write", "kind"), [(write_samples, "jsonl"), (write_json, "json")])
@given(rows=ROWS)
def test_flat_rows_are_read_back_with_all_fields(tmp_path_factory, write, kind, rows):
    path = tmp_path_factory.getbasetemp() / f"all.{kind}"
    write(rows, path)
    file = open_samples(path)
    found = list(rows_of(file))
    assert file.format == kind
    assert [one.sample for one in found] == [one.sample for one in rows]
    text = path.read_text()
    records = [json.loads(line) for line in text.splitlines()] if kind == "jsonl" else json.loads(text)
    for row, record in zip(rows, records, strict=True):
        for name, value in row.others.items():
            assert value in [
                record[key] for key in (name, f"original_{name}", f"original_original_{name}") if key in record
            ]


def test_a_judgement_of_the_original_answer_is_not_one_of_ours(tmp_path):
    sample = Sample(id="0", record="0", query="q", refused=False, label_source="field", rejected="r")
    write_samples([Written(sample, {"response_harm_label": True, "Prompt": "p"}, {})], tmp_path / "d.jsonl")
    record = json.loads((tmp_path / "d.jsonl").read_text())
    assert (record["original_response_harm_label"], record["Prompt"]) == (True, "p")
    assert list(open_samples(tmp_path / "d.jsonl")) == [sample]


@pytest.mark.parametrize("shape", ["vlguard", "llava"])
@given(rows=ROWS)
def test_a_shape_gives_equal_samples_or_the_flat_list_does(tmp_path_factory, shape, rows):
    path = tmp_path_factory.getbasetemp() / f"{shape}.json"
    told = writer_for(path, shape)(rows, path)
    file = open_samples(path)
    found = [one.sample for one in rows_of(file)]
    assert file.format == ("json" if told else shape)
    for one, row in zip(found, rows, strict=True):
        changed = {name for name in Sample.__slots__ if getattr(one, name) != getattr(row.sample, name)}
        assert changed <= (set() if told else {"label_source"})


def sample(**fields):
    known = {"id": "a", "record": "a", "query": "What?", "answer": "It is.", "refused": False, "label_source": "field"}
    return Sample(**known | fields)


def written(path, rows, shape):
    told = writer_for(path, shape)(rows, path)
    return told, json.loads(path.read_text())


def test_vlguards_shape_holds_other_fields_several_pictures_and_both_categories(tmp_path):
    one = sample(
        id="a/safe", query="What differs?", category="political", **pictured([Placed("1.png", 0), Placed("2.png", 13)])
    )
    other = sample(id="b/unsafe", record="b", refused=True, image="3.png")
    rows = [Written(one, {"harmful_category": "risky", "score": 0.5}), Written(other, {"id": 7}, {"weight": 2.0})]
    told, records = written(tmp_path / "v.json", rows, "vlguard")
    assert told is None
    assert records == [
        {
            "id": "a",
            "images": ["1.png", "2.png"],
            "safe": True,
            "instr-resp": [{"safe_instruction": "<image>\nWhat differs?<image>", "response": "It is."}],
            "harmful_subcategory": "political",
            "harmful_category": "risky",
            "score": 0.5,
        },
        {
            "id": "b",
            "image": "3.png",
            "safe": True,
            "instr-resp": [{"unsafe_instruction": "What?", "response": "It is."}],
            "weight": 2.0,
            "original_id": 7,
        },
    ]


def test_llavas_shape_holds_a_system_prompt_and_a_label_that_contradicts_the_answer(tmp_path):
    one = sample(refused=True, context=(Turn("system", "Be brief."),))
    told, records = written(tmp_path / "l.json", [Written(one, {"source": "web"})], "llava")
    assert told is None
    assert records == [
        {
            "id": "a",
            "conversations": [
                {"from": "system", "value": "Be brief."},
                {"from": "human", "value": "What?"},
                {"from": "gpt", "value": "It is."},
            ],
            "refused": True,
            "source": "web",
        }
    ]


@pytest.mark.parametrize(
    ("shape", "fields", "field"),
    [
        ("vlguard", {"context": (Turn("system", "Be brief."),)}, "field 'context'"),
        ("llava", {"context": (Turn("user", "Hi"), Turn("assistant", "Yes?"))}, "field 'context'"),
        ("llava", {"rejected": "No."}, "field 'rejected'"),
        ("vlguard", {"rejected": "No."}, "field 'rejected'"),
    ],
)
def test_what_a_shape_cannot_hold_makes_a_flat_list_and_is_said(tmp_path, shape, fields, field):
    one = sample(id="a/safe" if shape == "vlguard" else "a")
    other = sample(id="b/safe" if shape == "vlguard" else "b", record="b", **fields)
    told, records = written(tmp_path / "x.json", [one, other], shape)
    assert told == f"written as a flat list, because {shape} cannot hold {field} of sample '{other.id}'"
    assert [record["query"] for record in records] == ["What?", "What?"]
    assert list(open_samples(tmp_path / "x.json")) == [one, other]


def test_fields_that_readers_know_get_a_prefix_where_ours_is_empty(tmp_path):
    rows = [
        Written(sample(category="x"), {"harmful_category": "y", "type": "SSU", "query": 1, "topic": "z"}),
        Written(sample(id="b", record="b"), {"harmful_category": "y", "type": "video"}),
    ]
    write_samples(rows, tmp_path / "s.jsonl")
    first, second = map(json.loads, (tmp_path / "s.jsonl").read_text().splitlines())
    assert list(first)[-4:] == ["harmful_category", "original_type", "original_query", "topic"]
    assert list(second)[-2:] == ["original_harmful_category", "original_type"]


def test_values_that_json_lacks_are_written_as_it_has_them(tmp_path):
    values = {
        "score": float("nan"), "when": datetime.date(2024, 5, 1), "raw": b"\xff", "vector": np.array([1.5, 2.0]),
        "nested": {"a": float("inf"), "b": (1, 2)}, "n": np.int64(3),
    }  # fmt: skip
    write_samples([Written(sample(), values)], tmp_path / "s.jsonl")
    record = json.loads((tmp_path / "s.jsonl").read_text())
    assert {name: record[name] for name in values} == {
        "score": None, "when": "2024-05-01", "raw": "/w==", "vector": [1.5, 2.0], "nested": {"a": None, "b": [1, 2]},
        "n": 3,
    }  # fmt: skip
