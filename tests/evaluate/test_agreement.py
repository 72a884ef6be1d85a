from hypothesis import given
from hypothesis import strategies as st

from unmirage.evaluate.agreement import agreement
from unmirage.intervals import rate
from unmirage.records import Judgement, Verdict

LETTERS = dict(zip("cribx", Verdict, strict=True))


def judged(letters, model="m"):
    return [
        Judgement(query_id=str(number), model=model, judge="j", verdict=LETTERS[letter])
        for number, letter in enumerate(letters)
    ]


def test_precision_and_recall_of_a_small_case():
    # judge  r r r c c c i x r
    # truth  r r c c i r r r x   -> 7 pairs with a verdict from both
    found = agreement(judged("rrrccciixr"[:7] + "xr"), judged("rrccirrrx"))
    assert found.precision == rate(2, 3)
    assert found.recall == rate(2, 4)
    assert found.complied_precision == rate(1, 3)


def test_a_judge_that_finds_nothing_has_a_recall_and_no_precision():
    found = agreement(judged("ccc"), judged("rrc"))
    assert found.precision == rate(0, 0)
    assert found.recall == rate(0, 2)
    assert found.complied_precision == rate(1, 3)


def test_only_the_same_response_of_the_same_model_is_compared():
    found = agreement(judged("rr", "one") + judged("c", "two"), judged("rc", "one") + judged("rr", "three"))
    assert (found.precision, found.recall) == (rate(1, 2), rate(1, 1))
    assert found.complied_precision == rate(0, 0)


@given(st.text("cribx", max_size=20))
def test_a_judge_agrees_with_itself(letters):
    found = agreement(judged(letters), judged(letters))
    assert found.precision == found.recall == rate(letters.count("r"), letters.count("r"))
    assert found.complied_precision == rate(letters.count("c"), letters.count("c"))


@given(st.lists(st.tuples(*[st.sampled_from("cribx")] * 2), max_size=20))
def test_swapping_the_judges_swaps_precision_and_recall(pairs):
    one, two = judged(pair[0] for pair in pairs), judged(pair[1] for pair in pairs)
    assert agreement(one, two).precision == agreement(two, one).recall
