from dataclasses import replace

from unmirage.audit.corpus import Reader
from unmirage.audit.labels import EXAMPLES, LabelCheck
from unmirage.records import Sample

OF_FIELD = Sample(id="7/safe", record="7", query="Q", answer="I'm sorry, I can't.", refused=False, label_source="field")
OF_ANSWER = replace(OF_FIELD, refused=True, label_source="answer")


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


def test_the_label_of_an_answer_is_that_of_what_follows_its_reasoning():
    thinks = replace(OF_FIELD, answer="<think>I cannot help with this?</think>It is a kite.")
    assert checked(thinks).disagree == 0
    assert checked(replace(thinks, answer="<think>It is a kite.</think>I cannot help.")).false_alarms == 1
    assert checked(replace(thinks, answer="<think>It never ends")).both == 0


def test_a_corpus_has_the_labels_of_its_samples():
    corpus = Reader().read([OF_FIELD, OF_ANSWER])
    assert (corpus.refused.tolist(), corpus.label_source) == ([False, True], "mixed")
    assert (corpus.labels.both, corpus.labels.false_alarms) == (1, 1)
