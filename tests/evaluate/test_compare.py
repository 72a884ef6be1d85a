from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmirage.documents import dumped
from unmirage.evaluate.compare import Comparison, Side, compare, holm, pair, paired
from unmirage.evaluate.per_sample_outcomes import Decision, decided
from unmirage.records import Kind


def outcomes(make_outcomes, before, after, utility=""):
    return decided(
        make_outcomes(Kind.PLAIN, before)
        + make_outcomes(Kind.JAILBREAK, after)
        + make_outcomes(Kind.UTILITY, utility, unsafe=False)
    )


def yes(decided):
    return {key: one.yes for key, one in decided.items() if one.yes is not None}


def test_before_is_paired_with_after_and_each_model_with_the_first(make_outcomes):
    models = {
        "base": outcomes(make_outcomes, "c c c c c c", "c c c c c c", "c c"),
        "sft": outcomes(make_outcomes, "r r r r r r", "cr cr rr cr x cr", "r c"),
    }
    found = {(one.a, one.b): one for one in compare(models)}
    assert list(found) == [
        (Side("base", "asr.before"), Side("base", "asr.after")),
        (Side("sft", "asr.before"), Side("sft", "asr.after")),
        (Side("base", "asr.before"), Side("sft", "asr.before")),
        (Side("base", "asr.after"), Side("sft", "asr.after")),
        (Side("base", "utility"), Side("sft", "utility")),
    ]
    jump = found[Side("sft", "asr.before"), Side("sft", "asr.after")]
    assert (jump.n, jump.only_a, jump.only_b) == (5, 0, 4)
    assert jump.p_value == 2 * 0.5**4
    alone = paired(yes(models["sft"]["asr.before"]), yes(models["sft"]["asr.after"]))
    # By hand: the sixth sample is a failure before; after, its missing verdict may be a success, as of the other four.
    worst = {"left_out": 1, "least": 4 / 6, "most": 5 / 6, "p_most": 2 * 0.5**4}
    assert replace(jump, p_least=None) == replace(alone, **worst).between(jump.a, jump.b, jump.p_holm)
    assert jump.p_least == pytest.approx(2 * 0.5**5)
    assert jump.reversed().least == -5 / 6
    assert jump.reversed().reversed() == jump
    assert [one.p_holm for one in found.values()] == holm([one.p_value for one in found.values()])
    document = dumped(jump)
    assert document["a"] == {"model": "sft", "rate": "asr.before"}
    assert (document["n"], document["difference"], document["p_value"]) == (5, 0.8, 0.125)


def test_another_reference_can_be_named(make_outcomes):
    models = {name: outcomes(make_outcomes, "c r", "") for name in "abc"}
    assert [(one.a.model, one.b.model) for one in compare(models, "b")] == [("b", "a"), ("b", "c")]
    assert compare({}) == []


def test_a_comparison_is_shown_in_one_line():
    bounds = {"difference": 0.8, "low": 0.2, "high": 0.95, "p_value": 0.125, "p_holm": 0.25}
    one = Comparison(a=Side("a", "asr.before"), b=Side("b\x1b[1m", "asr.after"), n=5, only_a=0, only_b=4, **bounds)
    assert repr(one) == "'b' asr.after - 'a' asr.before: +0.800 [+0.200, +0.950], p_holm=0.25, n=5"
    nothing = dict.fromkeys(bounds)
    assert repr(replace(one, n=0, only_b=0, **nothing)) == "'b' asr.after - 'a' asr.before: n/a (n=0)"


YES = st.sampled_from([True, False, None])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(YES, YES, st.integers(0, 2)), max_size=4), st.booleans())
def test_the_worst_cases_are_those_of_all_ways_to_fill_the_gaps(samples, clustered):
    clusters = [cluster if clustered else place for place, (_, _, cluster) in enumerate(samples)]
    a, b = (
        {
            place: Decision(one[side], cluster)
            for place, (one, cluster) in enumerate(zip(samples, clusters, strict=True))
        }
        for side in (0, 1)
    )
    found = pair(a, b)
    options = [[yes] if yes is not None else [True, False] for one in samples for yes in one[:2]]
    filled = [
        paired(dict(enumerate(yes[::2])), dict(enumerate(yes[1::2])), dict(enumerate(clusters)))
        for yes in product(*options)
    ]
    left_out = sum(None in one[:2] for one in samples)
    assert (found.left_out, found.n) == (left_out, len(samples) - left_out)
    if not left_out:
        assert filled == [found]
        assert (found.least, found.most, found.p_least, found.p_most) == (None,) * 4
        return
    assert found.least == min(one.difference for one in filled)
    assert found.most == max(one.difference for one in filled)
    assert found.p_least == pytest.approx(min(one.p_value for one in filled))
    assert found.p_most == pytest.approx(max(one.p_value for one in filled))


def test_documents_have_worst_cases_of_comparisons_only_where_verdicts_are_missing():
    complete, lacking = (pair({1: Decision(True, 1)}, {1: Decision(yes, 1)}) for yes in (False, None))
    assert complete.left_out == 0
    assert (lacking.n, lacking.difference, lacking.p_value) == (0, None, None)
    assert (lacking.least, lacking.most, lacking.p_least, lacking.p_most) == (-1, 0, 1, 1)


def test_samples_that_all_differ_have_an_interval_whatever_rounding_gives():
    # 5 / (7 / 3) + 1 / (7 / 3) is one unit in the last place above 6 / (7 / 3).
    a = {place: place < 5 for place in range(6)}
    b = {place: not yes for place, yes in a.items()}
    found = paired(a, b, dict(enumerate([0, 0, 0, 1, 1, 2])))
    assert found.difference == pytest.approx(-4 / 6)
    assert -1 < found.low < found.difference < found.high < 1
