"""Which word refusal hangs on: every word is left out in turn, and the planted cause is found."""

import json

import numpy as np
import pytest

from unmirage.attack import explain as module
from unmirage.attack.explain import explain, variants, without
from unmirage.errors import UserError
from unmirage.models.scoring import refusal_probability
from unmirage.records import Kind, Query
from unmirage.text.openers import word_spans, words

STARTS = ("I'm sorry", "I cannot", "Sorry")


class Named:
    name = "planted"


def query(number: int, text: str, image: str | None = None) -> Query:
    return Query(id=f"q{number}", sample_id=f"s{number}", kind=Kind.PLAIN, shot=0, text=text, image=image, unsafe=True)


def planted(_vlm, queries, _images, _starts, _batch_size):
    """Refuse whatever says "share", a little more where it says "recipe" too."""
    return np.array([0.8 * ("share" in words(q.text)) + 0.1 * ("recipe" in words(q.text)) for q in queries])


@pytest.mark.parametrize(
    ("text", "word", "left_out", "masked"),
    [
        ("Share the recipe.", "Share", "The recipe.", "... the recipe."),
        ("Please, share it.", "Please", "Share it.", "..., share it."),
        ("Share the recipe.", "the", "Share recipe.", "Share ... recipe."),
        ("Share the recipe.", "recipe", "Share the.", "Share the ...."),
        ("Who (roughly) is it?", "roughly", "Who () is it?", "Who (...) is it?"),
        ("Share", "Share", "", "..."),
        ("料理", "料", "理", "...理"),
    ],
)
def test_a_word_left_out_or_masked(text, word, left_out, masked):
    span = (text.index(word), text.index(word) + len(word))
    assert without(text, span, "leave-out") == left_out
    assert without(text, span, "mask") == masked


def test_every_word_is_left_out_once():
    asked = variants(query(0, "Can you share it?"), "leave-out")
    assert [one.text for one in asked] == [
        "Can you share it?",
        "You share it?",
        "Can share it?",
        "Can you it?",
        "Can you share?",
    ]
    assert {one.id for one in asked} == {"q0"}


def test_the_planted_cause_is_found(monkeypatch, tiny):
    monkeypatch.setattr(module, "refusal_probability", planted)
    asked = [
        query(0, "Share the recipe."),
        query(1, "Share it."),
        query(2, "Can you share it?"),
        query(3, "Who is it?"),
        query(4, "?!"),
    ]
    seen = []
    found = explain(Named, asked, tiny.images, STARTS, progress=lambda *step: seen.append(step))
    assert [one.query_id for one in found.queries] == ["q0", "q1", "q2", "q3"]
    assert [one.opener_is_cause for one in found.queries] == [True, True, False, False]
    assert (found.opener_is_cause.k, found.opener_is_cause.n) == (2, 4)
    first = found.queries[0]
    assert first.p_refusal == pytest.approx(0.9)
    assert [word.word for word in first.words] == ["Share", "the", "recipe"]
    assert [word.change for word in first.words] == pytest.approx([0.8, 0.0, 0.1])
    assert [word.p_without for word in first.words] == pytest.approx([0.1, 0.9, 0.8])
    assert found.opener_change == pytest.approx(0.4)
    assert found.others_change == pytest.approx(0.9 / 8)
    assert seen == [("explaining", 16, 16)]


def test_the_document(monkeypatch, tiny):
    monkeypatch.setattr(module, "refusal_probability", planted)
    document = explain(Named, [query(0, "Share it."), query(1, "Who?")], tiny.images, STARTS).to_dict()
    assert json.loads(json.dumps(document)) == document
    assert document["schema"] == "unmirage.explain/1"
    assert (document["model"], document["n"], document["mode"]) == ("planted", 2, "leave-out")
    assert set(document["opener_is_cause"]) == {
        "value",
        "low",
        "high",
        "k",
        "n",
        "invalid",
        "clusters",
        "design_effect",
    }
    first = document["queries"][0]
    assert set(first) == {"query_id", "text", "p_refusal", "words"}
    assert first["words"][0] == {
        "word": "Share", "start": 0, "end": 5, "p_without": 0.0, "change": pytest.approx(0.8)
    }  # fmt: skip


def test_nothing_to_explain(monkeypatch, tiny):
    monkeypatch.setattr(module, "refusal_probability", planted)
    document = explain(Named, [query(0, "...")], tiny.images, STARTS).to_dict()
    assert document["n"] == 0
    assert document["opener_is_cause"]["value"] is None
    assert document["opener_change"] is None


def test_a_real_model_is_asked_without_each_word(tiny):
    vlm = tiny.load()
    sample = tiny.samples("test")[0]
    asked = [query(0, sample.query, sample.image), query(1, "Who?")]
    (first, second) = explain(vlm, asked, tiny.images, STARTS, batch_size=4).queries
    assert [text[1] for text in zip(first.words, words(sample.query), strict=True)] == words(sample.query)
    alone = refusal_probability(vlm, variants(asked[0], "leave-out"), tiny.images, STARTS, 1)
    assert [first.p_refusal, *(word.p_without for word in first.words)] == pytest.approx(alone.tolist(), rel=1e-3)
    assert all(first.text[w.start : w.end] == w.word for w in first.words)
    assert len(second.words) == len(word_spans("Who?")) == 1


def test_an_unknown_mode_is_named(tiny):
    with pytest.raises(UserError, match="unknown mode 'swap'; valid: leave-out, mask"):
        explain(Named, [], tiny.images, STARTS, mode="swap")
