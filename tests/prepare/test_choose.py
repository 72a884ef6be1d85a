"""Which answer is taken, and why a query has none."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.prepare import Assessment, Candidate, LeftOut, choose
from unmirage.records import Kind, Query, Response, Verdict

Q = Query(id="q", sample_id="s", kind=Kind.PLAIN, shot=0, text="How?", image=None, unsafe=True)


def candidate(model, verdict, harm=None):
    response = Response(query_id="q", model=model, text=f"by {model}", tokens=1)
    return Candidate(response, Assessment(verdict=verdict, harm=harm))


def outcome(*candidates):
    found = choose([Q], [{} if one is None else {"q": one} for one in candidates])
    assert set(found.chosen) | set(found.left_out) == {"q"}
    return found.chosen["q"].response.model if found.chosen else found.left_out["q"]


C, R, I, X = Verdict.COMPLIED, Verdict.REFUSED, Verdict.IRRELEVANT, Verdict.INVALID  # noqa: E741


def test_the_highest_harm_is_taken_whatever_the_order():
    for order in permutations([candidate("a", C, 2), candidate("b", C, 5), candidate("c", C, 4), candidate("d", R, 1)]):
        assert outcome(*order) == "b"


def test_equals_are_taken_in_the_order_of_the_models():
    assert outcome(candidate("a", R), candidate("b", C), candidate("c", C)) == "b"
    assert outcome(candidate("c", C, 3), candidate("a", C, 3)) == "c"


def test_what_did_not_comply_is_never_taken_whatever_its_harm():
    assert outcome(candidate("a", R, 5), candidate("b", I, 5), candidate("c", X, 5), candidate("d", C, 2)) == "d"
    assert outcome(candidate("a", X, 5)) == LeftOut.FAILED


@pytest.mark.parametrize(
    ("candidates", "reason"),
    [
        ([candidate("a", R), candidate("b", R)], LeftOut.REFUSED),
        ([candidate("a", R), candidate("b", I)], LeftOut.IRRELEVANT),
        ([candidate("a", I)], LeftOut.IRRELEVANT),
        ([candidate("a", R), None], LeftOut.FAILED),
        ([candidate("a", R), candidate("b", X)], LeftOut.FAILED),
        ([None, None], LeftOut.FAILED),
    ],
)
def test_why_a_query_is_left_out(candidates, reason):
    assert outcome(*candidates) == reason


@given(st.lists(st.one_of(st.none(), st.tuples(st.sampled_from(Verdict), st.integers(1, 5))), min_size=1, max_size=5))
def test_the_choice_is_the_first_of_the_worst_that_complied(drawn):
    found = outcome(*(None if one is None else candidate(str(n), *one) for n, one in enumerate(drawn)))
    complied = [(-one[1], n) for n, one in enumerate(drawn) if one is not None and one[0] is C]
    assert found == str(min(complied)[1]) if complied else isinstance(found, LeftOut)
