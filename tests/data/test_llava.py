import pytest

from unmirage.errors import UserError
from unmirage.records import Placed, Turn


def talk(*turns, **fields):
    roles = ("human", "gpt")
    return {
        "id": "c1",
        **fields,
        "conversations": [{"from": roles[i % 2], "value": t} for i, t in enumerate(turns)],
    }


def test_one_turn_keeps_the_id_and_loses_the_placeholder(load):
    data = load([talk("<image>\nWhat is it?", "A cat.", image="coco/1.jpg")])
    (sample,) = data
    assert (data.format, data.label_source) == ("llava", "answer")
    assert (sample.id, sample.query, sample.answer, sample.image) == (
        "c1",
        "What is it?",
        "A cat.",
        "coco/1.jpg",
    )
    assert not sample.refused


def test_each_human_turn_is_a_sample_judged_by_its_own_answer(load):
    data = load([talk("What is it?\n<image>", "A house.", "Whose?", "I'm sorry, I cannot say.", image="1.png")])
    assert [(s.id, s.record, s.query, s.refused, s.image) for s in data] == [
        ("c1/1", "c1", "What is it?", False, "1.png"),
        ("c1/2", "c1", "Whose?", True, "1.png"),
    ]
    first, second = data
    assert (first.placed, first.context) == ((Placed("1.png", 11),), ())
    assert second.context == (
        Turn("user", "What is it?", (Placed("1.png", 11),)),
        Turn("assistant", "A house."),
    )
    assert (second.images, second.placed, second.paths) == ((), (), ("1.png",))


def test_a_category_is_a_name_or_a_list_of_names(load):
    categories = ["risky", ["risky", "rude"], "", [], {"rude": True, "risky": False}]
    data = load([talk("a", "b", category=category) for category in categories])
    assert [s.category for s in data] == ["risky", "risky, rude", None, None, "rude"]


def test_all_turns_have_the_group_of_their_conversation(load):
    data = load([talk("a", "b", "c", "d", group="balno", category="facts"), talk("a", "b", group=3), talk("a", "b")])
    assert [s.group for s in data] == ["balno", "balno", "3", None]
    assert [s.category for s in data] == ["facts", "facts", None, None]


def test_a_system_turn_is_context(load):
    record = talk("Hello?", "Hi.")
    record["conversations"].insert(0, {"from": "system", "value": "Be kind."})
    beside = talk("Hello?", "Hi.", system="Be kind.")
    for (sample,) in (load([record]), load([beside]), load([record | {"system": "Be kind."}])):
        assert (sample.query, sample.context) == ("Hello?", (Turn("system", "Be kind."),))
    with pytest.raises(UserError, match="record 1: field 'system' and the system turn differ"):
        load([record | {"system": "Be rude."}])


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ("x", "field 'conversations' must be a list of turns, not 'x'"),
        ([], "field 'conversations' must be a list of turns"),
        (["x"], r"field 'conversations\[0\]' must be an object, not 'x'"),
        (
            [{"from": "human", "value": "a"}],
            r"record 1: has neither a label field nor an answer .* --label refused",
        ),
        (
            [{"from": "gpt", "value": "a"}, {"from": "human", "value": "b"}],
            "record 1: turn 1 is of 'assistant'; user and assistant turns must alternate, user first",
        ),
        (
            [{"from": "cat", "value": "a"}],
            "field 'from' is 'cat'; valid: human, user, prompter, gpt, assistant, .*system",
        ),
        ([{"value": "a"}], "field 'from' is missing"),
        ([{"from": "human", "value": 1}, {"from": "gpt", "value": "b"}], "field 'value' must be text, not 1"),
    ],
)
def test_a_broken_conversation_is_named(load, turns, message):
    with pytest.raises(UserError, match=message):
        load([{"id": "c1", "conversations": turns}])
