"""Validation queries of unlearning: read from a file, without those of the training data."""

import json

import numpy as np
import pytest

from unmirage.records import Response, Sample
from unmirage.workflows.relevance_watch import RelevanceStop
from unmirage.workflows.unlearning_study import search_settings
from unmirage.workflows.validation import held_out

ROWS = [
    {"id": "a", "query": "What is it?", "answer": "A cat.", "refused": False},
    {"id": "a", "query": "Who is it?", "answer": "Bob.", "refused": False},
    {"id": "b", "query": "Make poison.", "answer": "I cannot.", "refused": True},
]


class Encoder:
    def encode(self, texts):
        return np.eye(len(texts))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "validation.json"
    path.write_text(json.dumps(ROWS))
    return path


def test_queries_that_differ_in_case_and_end_marks_only_are_in_the_training_data():
    one, other = (
        Sample(id="v", record="v", query=text, answer="", refused=False, label_source="field")
        for text in ("What is it?", "Who is it?")
    )
    training = [Sample(id="t", record="t", query="what  IS it", answer="", refused=False, label_source="field")]
    assert held_out([one, other], training) == [other]


def test_two_records_with_one_id_are_two_queries_of_a_check(file):
    watch = RelevanceStop(encoder=Encoder(), validation=file).watch([])

    class Parrot:
        def answer(self, queries, images, config):
            return [Response(query_id=one.id, model="m", text=one.text, tokens=1) for one in queries]

    assert watch.measure(Parrot(), 0) == 1.0  # one response for both would have a cosine of 0 with one of them


def test_two_records_with_one_id_are_two_queries_of_a_search(file, tmp_path, monkeypatch):
    for name in ("forget", "retain"):
        row = {"query": f"Query of the {name} set.", "answer": "Yes.", "refused": name == "forget"}
        (tmp_path / f"{name}.json").write_text(json.dumps([row]))

    class Stop(Exception):  # noqa: N818
        pass

    def search(request, measured, *_):
        raise Stop([one.id for one in measured.benign])

    monkeypatch.setattr("unmirage.workflows.unlearning_study.UnlearningSearch", search)
    with pytest.raises(Stop) as stopped:
        search_settings(
            "model", [tmp_path / "forget.json"], [tmp_path / "retain.json"], file, encoder=Encoder(), out=tmp_path
        )
    assert stopped.value.args[0] == ["a", "a#2"]
