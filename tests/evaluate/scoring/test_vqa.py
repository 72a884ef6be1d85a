import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.evaluate.scoring import submitted_accuracy, textvqa_accuracy, vqa_accuracy
from unmirage.evaluate.scoring.answers import agreement


@pytest.mark.parametrize(("count", "value"), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (10, 1)])
def test_agreement_is_averaged_over_leaving_one_out(count, value):
    assert agreement("red", ["red"] * count + ["blue"] * (10 - count)) == pytest.approx(value, abs=1e-12)


def test_answers_are_put_into_form_only_where_people_differ():
    assert vqa_accuracy("The red.", ["red"] * 9 + ["blue"]) == 1
    assert vqa_accuracy("red", ["Red!"] * 9 + ["blue"]) == 1
    assert vqa_accuracy("The red.", ["red"] * 10) == 0
    assert vqa_accuracy("Red", ["red"] * 10) == 0
    assert vqa_accuracy("red", ["red."] * 10) == 0
    assert vqa_accuracy("\tred\n", ["red", " red"] * 5) == 1  # space around does not make them differ


def test_handed_in_as_llava_does_case_does_not_matter():
    assert submitted_accuracy("Red", ["red"] * 10) == 1
    assert submitted_accuracy("The red kite.", ["red kite"] * 10) == 1
    assert submitted_accuracy("Two", ["two"] * 10) == 0  # a digit is handed in, and all people wrote the word
    assert submitted_accuracy("Two", ["two"] * 9 + ["3"]) == 1


def test_vizwiz_knows_no_answer():
    assert submitted_accuracy("Unanswerable", ["unanswerable"] * 2 + ["a can"] * 8) == pytest.approx(0.6)


def test_textvqa_puts_all_answers_into_form():
    assert textvqa_accuracy("Two", ["two"] * 10) == 1
    assert textvqa_accuracy("nokia", ["Nokia"] * 3 + ["N70"] * 7) == pytest.approx(0.9)
    assert textvqa_accuracy("the dog's", ["dog 's"] * 10) == 1
    assert textvqa_accuracy("", ["a"] * 10) == 1  # an article is no answer, as published


@given(st.text(max_size=8), st.lists(st.text(max_size=8), min_size=10, max_size=10), st.randoms())
def test_a_share_whatever_is_said_and_in_whatever_order(answer, people, rng):
    for rule in (vqa_accuracy, submitted_accuracy, textvqa_accuracy):
        value = rule(answer, people)
        assert 0 <= value <= 1
        shuffled = rng.sample(people, len(people))
        assert rule(answer, shuffled) == pytest.approx(value)
