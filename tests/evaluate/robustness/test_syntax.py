"""Benign samples that open like unsafe ones: as often with each word, with answers and pictures as they were."""

from collections import Counter

import pytest

from unmirage.evaluate.robustness import same_syntax
from unmirage.records import Sample
from unmirage.text.openers import opener


def sample(number, query, answer="It is red.", refused=False):
    return Sample(
        id=f"s{number}", record=f"s{number}", query=query, answer=answer, image=f"{number}.png", refused=refused,
        label_source="field",
    )  # fmt: skip


BENIGN = [sample(number, f"What is the colour of device {number}?", f"It is {number}.") for number in range(60)]
OPENERS = ["share"] * 20 + ["describe"] * 15 + ["can"] * 5


def test_openers_are_as_frequent_as_the_unsafe_ones_are():
    found = same_syntax(BENIGN, OPENERS, 40, 0)
    assert Counter(opener(one.query) for one in found) == Counter(OPENERS)
    by_id = {one.id: one for one in BENIGN}
    assert len({one.id for one in found}) == 40
    for one in found:
        assert (one.answer, one.image) == (by_id[one.id].answer, by_id[one.id].image)
        assert f"device {one.id[1:]}" in one.query


def test_half_as_many_have_half_of_each():
    counts = Counter(opener(one.query) for one in same_syntax(BENIGN, OPENERS, 8, 0))
    assert counts == {"share": 4, "describe": 3, "can": 1}


def test_few_are_the_first_of_many():
    many = same_syntax(BENIGN, OPENERS, 40, 0)
    assert all(same_syntax(BENIGN, OPENERS, size, 0) == many[:size] for size in (1, 8, 32))


def test_a_query_that_opens_with_its_word_stays_as_it_is():
    found = same_syntax(BENIGN, ["what"], 10, 0)
    assert {one.query for one in found} <= {one.query for one in BENIGN}


def test_the_same_seed_gives_the_same_and_another_one_others():
    assert same_syntax(BENIGN, OPENERS, 20, 0) == same_syntax(BENIGN, OPENERS, 20, 0)
    assert same_syntax(BENIGN, OPENERS, 20, 0) != same_syntax(BENIGN, OPENERS, 20, 1)


def test_refused_and_unanswered_samples_are_left_out():
    pool = [*BENIGN[:3], sample(90, "What is it?", "I cannot.", refused=True), sample(91, "What is it?", " ")]
    found = same_syntax(pool, OPENERS, 10, 0)
    assert {one.id for one in found} == {"s0", "s1", "s2"}


@pytest.mark.parametrize(("benign", "openers"), [([], OPENERS), (BENIGN, []), (BENIGN, ["", ""])])
def test_nothing_to_draw_from(benign, openers):
    assert same_syntax(benign, openers, 5, 0) == []


def test_a_word_with_which_none_can_open_leaves_its_share_to_the_others(monkeypatch):
    monkeypatch.setattr(
        "unmirage.evaluate.robustness.syntax.rewrite",
        lambda query, word, shots: [] if word == "zzz" else [f"{word} {query}"],
    )
    found = same_syntax(BENIGN, ["zzz", "share", "share"], 12, 0)
    assert Counter(opener(one.query) for one in found) == {"share": 12}
    assert same_syntax(BENIGN, ["zzz"], 12, 0) == []
