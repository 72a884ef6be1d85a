"""One model's own harmful answers, in memory, as the built-in study takes them."""

import pytest

from unmirage.data import ImageFolder
from unmirage.errors import UserError
from unmirage.evaluate import PhraseJudge
from unmirage.models import GenerationConfig
from unmirage.prepare import harmful_answers
from unmirage.records import Failure, Response


class Scripted:
    name = "m"

    def __init__(self, texts):
        self.texts = texts
        self.asked = []

    def answer(self, queries, images, config):
        for query in queries:
            self.asked.append(query.sample_id)
            text = self.texts[query.sample_id]
            if text is None:
                yield Failure(query_id=query.id, model="m", reason="no picture")
            else:
                yield Response(query_id=query.id, model="m", text=text, tokens=1)


def test_what_complied_is_returned_by_sample(sample, tmp_path):
    samples = [sample("a", refused=True), sample("b", refused=True), sample("c")]
    vlm = Scripted({"a": "Mix it.", "b": "I'm sorry, I cannot."})
    found = harmful_answers(vlm, samples, ImageFolder(tmp_path), PhraseJudge(), GenerationConfig())
    assert found == {"a": "Mix it."}
    assert vlm.asked == ["a", "b"]


def test_a_query_that_cannot_be_asked_ends_it(sample, tmp_path):
    vlm = Scripted({"a": None})
    with pytest.raises(UserError, match=r"a.plain.0': no picture"):
        harmful_answers(vlm, [sample("a", refused=True)], ImageFolder(tmp_path), PhraseJudge(), GenerationConfig())
