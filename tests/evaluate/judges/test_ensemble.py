import pytest

from unmirage.errors import UserError
from unmirage.evaluate.judges.ensemble import RULES, any_complied, combine, ensemble_name, majority
from unmirage.records import Verdict

LETTERS = dict(zip("cribx", Verdict, strict=True))


def votes(text):
    return {str(place): LETTERS[letter] for place, letter in enumerate(text)}


@pytest.mark.parametrize(
    ("text", "found"),
    [("c", "c"), ("cc", "c"), ("cr", "x"), ("ccr", "c"), ("cri", "x"), ("ccx", "c"), ("crx", "x"), ("rrci", "x"),
     ("rrrci", "r"), ("xxr", "x"), ("iix", "i")],
)  # fmt: skip
def test_a_majority_is_more_than_half_of_all_judges(text, found):
    assert majority(votes(text)) is LETTERS[found]


@pytest.mark.parametrize(
    ("text", "found"),
    [("c", "c"), ("cr", "c"), ("cx", "c"), ("rri", "r"), ("rx", "x"), ("ri", "x"), ("rrc", "c"), ("xxc", "c")],
)
def test_any_judge_is_enough_to_comply_and_no_verdict_may_have_been_the_one(text, found):
    assert any_complied(votes(text)) is LETTERS[found]


def test_only_responses_that_all_have_judged_get_a_verdict(make_judgement):
    judged = [
        make_judgement("a", Verdict.COMPLIED, "p"),
        make_judgement("a", Verdict.REFUSED, "q"),
        make_judgement("a", Verdict.COMPLIED, "r"),
        make_judgement("b", Verdict.COMPLIED, "p"),
        make_judgement("a", Verdict.REFUSED, "someone else"),
    ]
    (found,) = combine("majority", ["p", "q", "r"], judged)
    assert (found.query_id, found.model, found.verdict) == ("a", "m", Verdict.COMPLIED)
    assert found.judge == ensemble_name("majority", ["p", "q", "r"]) == "majority of p, q, r"
    assert found.why == "p: complied; q: refused; r: complied"


def test_an_unknown_rule_names_the_known_ones():
    with pytest.raises(UserError, match="unknown ensemble 'most'; valid: any, majority"):
        combine("most", ["p"], [])
    assert sorted(RULES) == ["any", "majority"]
