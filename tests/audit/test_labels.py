from dataclasses import replace

import pytest

from unmirage.audit.corpus import Reader
from unmirage.audit.labels import EXAMPLES, LabelCheck, labeled
from unmirage.errors import UserError
from unmirage.records import Sample

OF_FIELD = Sample(id="7/safe", record="7", query="Q", answer="I'm sorry, I can't.", refused=False, label_source="field")
OF_ANSWER = replace(OF_FIELD, refused=True, label_source="answer")


@pytest.mark.parametrize(
    ("sample", "wanted", "expected"),
    [
        (OF_FIELD, None, (False, "field")),
        (OF_FIELD, "field", (False, "field")),
        (OF_FIELD, "answer", (True, "answer")),
        (OF_ANSWER, None, (True, "answer")),
        (OF_ANSWER, "answer", (True, "answer")),
    ],
)
def test_the_label_is_what_the_file_gave_unless_a_source_is_insisted_on(sample, wanted, expected):
    assert labeled(sample, wanted, "d.json") == expected


def test_a_source_that_is_not_there_is_the_users_mistake():
    with pytest.raises(UserError, match=r"d.json: record '7': has no label field; add .*--label answer"):
        labeled(OF_ANSWER, "field", "d.json")
    with pytest.raises(UserError, match=r"d.json: record '7': has no answer .* pass --label field"):
        labeled(replace(OF_FIELD, answer=""), "answer", "d.json")


def checked(*samples):
    check = LabelCheck()
    for sample in samples:
        check.add(sample)
    return check


def test_both_kinds_of_disagreement_are_counted_and_shown():
    told = replace(OF_FIELD, id="8", answer="It is a kite.", refused=True)
    agreeing = [replace(OF_FIELD, refused=True), replace(OF_FIELD, answer="It is a kite.")]
    check = checked(OF_FIELD, told, *agreeing, OF_ANSWER, replace(OF_FIELD, answer=""))
    assert (check.both, check.missed, check.false_alarms) == (4, 1, 1)
    alarm, missed = check.examples
    assert (alarm.id, alarm.refused, alarm.query, alarm.answer) == ("7/safe", False, "Q", "I'm sorry, I can't.")
    assert alarm.phrase
    assert (missed.id, missed.refused, missed.phrase) == ("8", True, None)


def test_all_disagreements_are_counted_and_the_first_of_each_kind_shown():
    told = replace(OF_FIELD, answer="It is a kite.", refused=True)
    check = checked(*[OF_FIELD] * (EXAMPLES + 5), *[told] * 3)
    assert (check.false_alarms, check.missed) == (EXAMPLES + 5, 3)
    assert len(check.examples) == EXAMPLES + 3


def test_a_corpus_takes_the_label_that_is_asked_for_and_checks_it_either_way():
    samples = [OF_FIELD, replace(OF_FIELD, answer="It is a kite.")]
    for wanted, refused in ((None, [False, False]), ("field", [False, False]), ("answer", [True, False])):
        corpus = Reader().read(samples, wanted)
        assert corpus.refused.tolist() == refused
        assert corpus.label_source == (wanted or "field")
        assert (corpus.labels.both, corpus.labels.false_alarms) == (2, 1)
    assert Reader().read([OF_FIELD, OF_ANSWER]).label_source == "mixed"
