import json

import pytest

from unmirage.errors import UserError

ROW = {"query": "What is it?", "answer": "A cat.", "refused": False}


def test_usual_names_are_found_and_the_rest_stays_empty(load):
    (sample,) = load([{"prompt": "What is it?", "output": "A cat.", "unsafe": 1, "category": 3, "id": 5, "group": 2}])
    assert (sample.query, sample.answer, sample.refused) == ("What is it?", "A cat.", True)
    assert (sample.id, sample.record, sample.category, sample.image) == ("5", "5", "3", None)
    assert (sample.group, load([ROW]).samples[0].group) == ("2", None)


def test_columns_can_be_named_in_every_container(load):
    columns = {"query": "q", "answer": "a", "refused": "ok", "image": "pic", "id": "key"}
    columns |= {"category": "sort", "group": "of"}
    records = [{"q": "Why?", "a": "So.", "ok": "refused", "pic": "1.png", "key": "k", "sort": "s", "of": "balno"}]
    as_csv = ",".join(records[0]) + "\n" + ",".join(records[0].values()) + "\n"
    loaded = [
        load(records, columns=columns),
        load(json.dumps(records[0]), name="d.jsonl", columns=columns),
        load(as_csv, name="d.csv", columns=columns),
    ]
    assert [data.format for data in loaded] == ["json", "jsonl", "csv"]
    assert loaded[0].samples == loaded[1].samples == loaded[2].samples
    assert (loaded[0].samples[0].id, loaded[0].samples[0].refused) == ("k", True)
    assert loaded[0].samples[0].group == "balno"


def test_named_columns_win_over_guessed_ones_and_over_other_formats(load):
    row = {"question": "Q?", "chosen": "C.", "rejected": "R.", "query": "other", "label": 0}
    data = load([row], columns={"query": "question"})
    assert (data.format, data.samples[0].query) == ("json", "Q?")


def test_a_safe_column_is_read_the_other_way_round(load):
    assert [s.refused for s in load([{"query": "a", "safe": True}, {"query": "b", "safe": False}])] == [
        False,
        True,
    ]


def test_without_a_label_the_answer_tells(load):
    data = load([{"query": "a", "answer": "I cannot help."}, {"query": "b", "answer": "Yes."}])
    assert [s.refused for s in data] == [True, False]
    assert data.label_source == "answer"
    assert load([ROW, {"query": "b", "answer": "Yes."}]).label_source == "mixed"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"refused": "perhaps"}, "record 2: field 'refused' is 'perhaps'; valid: true, false, 1, 0"),
        (
            {"refused": None, "answer": ""},
            "has neither a label field nor an answer .*--label refused",
        ),
        ({"query": None}, "field 'query' is null"),
        ({"query": 7}, "field 'query' must be text, not 7"),
        ({"answer": 7}, "field 'answer' must be text, not 7"),
        ({"image": "file:///x.png"}, "field 'image': image path 'file:///x.png' is a URL"),
        ({"label_source": "guess"}, "field 'label_source' is 'guess'; valid: field, answer, stated"),
    ],
)
def test_a_broken_row_is_named(load, change, message):
    with pytest.raises(UserError, match=message):
        load([ROW, ROW | change])


def test_a_column_that_is_not_there_is_named_with_those_that_are(load):
    with pytest.raises(
        UserError,
        match=r"d\.json: has no column 'q' for 'query' in its first 1 records; it has 'query', 'answer', 'refused'",
    ):
        load([ROW], columns={"query": "q"})
    with pytest.raises(UserError, match=r"unknown column 'querry'; valid: .*Did you mean 'query'"):
        load([ROW], columns={"querry": "query"})
