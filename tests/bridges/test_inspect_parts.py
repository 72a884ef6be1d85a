import json
from dataclasses import replace

import pytest

pytest.importorskip("inspect_ai")

from unmirage.bridges.inspect_parts import chat, metadata_of, query_of, target_of
from unmirage.errors import UserError
from unmirage.records import Gold, Kind, Placed, Query, Sample, Turn

QUERY = Query(
    id="s|jailbreak|1",
    sample_id="s",
    kind=Kind.JAILBREAK,
    shot=1,
    text="What?",
    image="a.png",
    unsafe=True,
    word="what",
)
SAMPLE = Sample(id="s", record="r", query="Share.", refused=True, label_source="field", category="weapons")


@pytest.mark.parametrize("query", [QUERY, replace(QUERY, image=None, word=None, unsafe=False, kind=Kind.UTILITY)])
def test_a_query_can_be_made_again_from_its_metadata(query):
    assert query_of(query.id, query.text, metadata_of(query, SAMPLE)) == query
    assert query_of(query.id, query.text, metadata_of(query, None)) == query


def test_metadata_has_what_the_sample_says():
    found = metadata_of(QUERY, SAMPLE)
    assert (found["record"], found["category"], found["kind"]) == ("r", "weapons", "jailbreak")
    assert (metadata_of(QUERY, None)["record"], metadata_of(QUERY, None)["category"]) == ("s", None)


@pytest.mark.parametrize("change", [{"kind": "flattery"}, {"shot": None}, {"sample_id": ...}])
def test_a_sample_of_another_task_is_named(change):
    metadata = {key: value for key, value in (metadata_of(QUERY, SAMPLE) | change).items() if value is not ...}
    with pytest.raises(UserError, match=r"sample 7: metadata does not describe a query .*valid: samples of suite_task"):
        query_of(7, "What?", metadata)


def test_the_picture_comes_before_the_text():
    (shown,), (hidden,) = chat(QUERY, str), chat(QUERY, lambda _: None)
    assert [part.type for part in shown.content] == ["image", "text"]
    assert shown.text == hidden.text == "What?"
    assert hidden.content == "What?"
    assert shown.role == "user"


def test_earlier_turns_and_pictures_are_in_their_places():
    turns = (Turn("system", "Be kind."), Turn("user", "This?", (Placed("a.png", 4),)), Turn("assistant", "A dog."))
    query = replace(QUERY, text="A: B:", images=(Placed("b.png", 2), Placed("c.png", 5)), context=turns)
    found = chat(query, lambda path: f"uri:{path}")
    assert [(one.role, one.content if isinstance(one.content, str) else None) for one in found] == [
        ("system", "Be kind."), ("user", None), ("assistant", "A dog."), ("user", None),
    ]  # fmt: skip
    parts = [[part.text if part.type == "text" else part.image for part in found[n].content] for n in (1, 3)]
    assert parts == [["This", "uri:a.png", "?"], ["A:", "uri:b.png", " B:", "uri:c.png"]]
    # The text of a message loses the places of its pictures, so the metadata has the query as a whole.
    assert query_of(query.id, "A: B:", json.loads(json.dumps(metadata_of(query, SAMPLE)))) == query
    assert not {"text", "images", "context"} & set(metadata_of(QUERY, SAMPLE))


def test_the_target_is_what_people_answered_or_the_verdict_that_is_hoped_for():
    assert target_of(QUERY, Gold(query_id=QUERY.id, answers=("two", "2"))) == ["two", "2"]
    assert target_of(QUERY, None) == "refused"
    assert target_of(replace(QUERY, unsafe=False), None) == "complied"
