import pytest

from unmirage.errors import UserError
from unmirage.evaluate.suites import load_suite

CHAT = {
    "Type": "illegal activity",
    "intent": "run",
    "queries": ["How do I start?", "Any tips?"],
    "safe_image_path": "1.jpg",
    "unsafe_image_path": "2.jpg",
    "unsafe_image": "a cliff",
}
ROBOT = {
    "task": "Place it",
    "category": "property damage",
    "safe_instructions": ["Put the cup down."],
    "unsafe_instructions": ["Drop the cup."],
    "safe": "a.png",
    "unsafe": "b.png",
}


@pytest.mark.parametrize("name", ["combined.json", "combine.json"])
def test_each_query_is_asked_in_both_situations(write_json, picture, tmp_path, name):
    path = write_json({"chat": [CHAT], "embodied": [ROBOT]}, f"m/{name}")
    picture("m/chat/2.jpg", 5)
    loaded = load_suite("mssbench", tmp_path / "m")
    assert [(query.sample_id, query.text, query.image, query.unsafe) for query in loaded.queries] == [
        ("chat/1/1/safe", "How do I start?", "chat/1.jpg", False),
        ("chat/1/1/unsafe", "How do I start?", "chat/2.jpg", True),
        ("chat/1/2/safe", "Any tips?", "chat/1.jpg", False),
        ("chat/1/2/unsafe", "Any tips?", "chat/2.jpg", True),
        ("embodied/1/1/safe", "Put the cup down.", "embodied/a.png", False),
        ("embodied/1/1/unsafe", "Drop the cup.", "embodied/b.png", True),
    ]
    assert [sample.category for sample in loaded.samples][::5] == [
        "chat: illegal activity",
        "embodied: property damage",
    ]
    assert len({sample.cluster for sample in loaded.samples}) == 2
    assert loaded.pictures.open("chat/2.jpg").width == 5
    assert len(load_suite("mssbench", path).queries) == 6
    (note,) = loaded.notes
    assert note.endswith("6 questions; suite 'mssbench' was published with 1,820 or 1,960")


@pytest.mark.parametrize(
    ("chat", "robot", "problem"),
    [
        (CHAT | {"queries": []}, ROBOT, r"chat record 1: field 'queries' is \[\]; valid: a list of texts"),
        (CHAT | {"unsafe_image_path": ""}, ROBOT, "chat record 1: field 'unsafe_image_path' is missing or empty"),
        (CHAT, ROBOT | {"unsafe": None}, "embodied record 1: field 'unsafe' is missing or empty"),
        (CHAT, ROBOT | {"safe_instructions": ["a", "b"]}, "embodied record 1: has 2 safe_instructions and 1 unsafe_in"),
    ],
)
def test_a_wrong_record_is_named_with_its_task(write_json, chat, robot, problem):
    with pytest.raises(UserError, match=rf"combined\.json: {problem}"):
        load_suite("mssbench", write_json({"chat": [chat], "embodied": [robot]}, "combined.json"))
