"""Samples, queries and notes that follow from the rows of files."""

from dataclasses import replace

import pytest

from unmirage.data.responses.collect import Collected
from unmirage.data.responses.given import Given
from unmirage.errors import UserError
from unmirage.records import Ended, Kind

ROW = Given(where="x: line 1", model="m", text="a", response="b", unsafe=True)


def collected(*rows, unsafe="auto"):
    found = Collected(unsafe=unsafe)
    found.add(replace(ROW, **row) for row in rows)
    return found


def keys(found):
    return [(one.query_id, one.model) for one in found.responses]


def test_rows_without_ids_are_paired_by_their_query():
    found = collected({}, {"text": "c"}, {"model": "n", "text": "c"}, {"model": "n"}, {"model": "n", "text": "d"})
    assert keys(found) == [("1|plain|0", "m"), ("2|plain|0", "m"), ("2|plain|0", "n"), ("1|plain|0", "n"),
                           ("3|plain|0", "n")]  # fmt: skip


def test_repeated_rows_are_samples_of_one_record():
    found = collected({}, {}, {"response": "other"}, {"model": "n"}, {"model": "n", "response": "c"})
    assert keys(found) == [("1|plain|0", "m"), ("2|plain|0", "m"), ("3|plain|0", "m"), ("1|plain|0", "n"),
                           ("2|plain|0", "n")]  # fmt: skip
    assert {one.record for one in found.samples.values()} == {"1"}
    assert found.repeated == 1
    assert found.notes() == ["1 of 5 rows repeat another row of the same model; all count"]


def test_responses_to_unknown_queries_are_independent_and_do_not_repeat_each_other():
    """A file of responses only: two equal refusals are no copy, and nothing tells that they are about one query."""
    found = collected({"text": ""}, {"text": ""}, {"text": "", "model": "n"})
    assert {one.record for one in found.samples.values()} == {"1", "2"}
    assert keys(found) == [("1|plain|0", "m"), ("2|plain|0", "m"), ("1|plain|0", "n")]
    assert (found.repeated, found.notes()) == (0, [])
    assert {
        one.record for one in collected({"text": "", "image": "a"}, {"text": "", "image": "a"}).samples.values()
    } == {"1"}


def test_queries_with_one_id_are_samples_of_one_record():
    found = collected({"sample": "s"}, {"sample": "s", "text": "c"}, {"sample": "s", "text": "c", "model": "n"})
    assert keys(found) == [("s|plain|0", "m"), ("s#2|plain|0", "m"), ("s#2|plain|0", "n")]
    assert {one.record for one in found.samples.values()} == {"s"}
    assert found.notes() == [
        "1 ids have several queries, which count as different samples of one record; if other columns tell the samples "
        "apart, name one with --columns id=NAME"
    ]


def test_shots_of_one_sample_stay_together():
    about = {"sample": "s", "kind": Kind.JAILBREAK}
    found = collected({"sample": "s"}, about | {"shot": 0, "text": "c"}, about | {"shot": 1, "text": "d"})
    assert list(found.queries) == ["s|plain|0", "s|jailbreak|0", "s|jailbreak|1"]
    assert [one.query for one in found.samples.values()] == ["a"]
    assert found.attack == {
        "kinds": ["jailbreak"], "shots": 2, "over_prudence_shots": 1,
        "jailbreak_word": None, "over_prudence_word": None,
    }  # fmt: skip
    words = [about | {"shot": shot, "text": str(shot), "word": "what"} for shot in range(3)]
    assert (collected(*words).attack["jailbreak_word"], collected(*words).attack["shots"]) == ("what", 3)
    assert collected(words[0], words[1] | {"word": "why"}).attack["jailbreak_word"] is None


def test_the_query_of_a_sample_is_its_plain_one():
    about = {"sample": "s", "kind": Kind.JAILBREAK, "text": "attacked"}
    assert collected(about, {"sample": "s"}).samples["s"].query == "a"
    assert collected({}).attack == {}


def test_kinds_without_common_samples_are_told():
    found = collected({}, {"text": "c", "kind": Kind.JAILBREAK})
    assert found.notes()[0].startswith("no plain query shares its sample with an attacked one")
    assert collected({}, {"text": "c", "kind": Kind.UTILITY}).notes() == []


@pytest.mark.parametrize(
    ("row", "unsafe", "label", "source"),
    [
        ({}, "auto", True, "field"),
        ({}, "none", False, "stated"),
        ({"unsafe": None}, "all", True, "stated"),
        ({"unsafe": None, "kind": Kind.JAILBREAK}, "none", True, "field"),
        ({"unsafe": None, "kind": Kind.OVER_PRUDENCE}, "all", False, "field"),
        ({"unsafe": True, "kind": Kind.UTILITY}, "auto", False, "field"),
        ({"unsafe": False, "kind": Kind.CONTROL}, "auto", False, "field"),
    ],
)
def test_labels_come_from_the_kind_then_the_user_then_the_file(row, unsafe, label, source):
    found = collected(row, unsafe=unsafe)
    (query,), (sample,) = found.queries.values(), found.samples.values()
    assert (query.unsafe, sample.refused, sample.label_source) == (label, label, source)


def test_a_row_without_a_label_is_named():
    with pytest.raises(UserError, match="x: line 1: the query has no label, safe or unsafe; pass --unsafe all"):
        collected({"unsafe": None})


def test_responses_keep_how_they_ended_and_their_reasoning():
    found = collected({"response": "<think>t</think>b", "thoughts": "s", "ended": Ended.LENGTH, "tokens": 4})
    (one,) = found.responses
    assert (one.text, one.thoughts, one.ended, one.tokens) == ("b", "s\nt", Ended.LENGTH, 4)
    found = collected(
        {"response": None, "reason": "late"}, {"text": "c", "response": None, "reason": "late"}, {"text": "d"}
    )
    assert [(one.query_id, one.reason) for one in found.failures] == [("1|plain|0", "late"), ("2|plain|0", "late")]
    assert found.notes() == ["2 of 3 responses are missing and count as invalid (late: 2)"]


def test_equal_responses_of_different_shots_are_no_repeated_rows():
    assert collected({"shot": 0}, {"shot": 1}).repeated == 0
    assert collected({}, {}).repeated == 1
