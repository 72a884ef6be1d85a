from fractions import Fraction
from itertools import combinations, product
from math import comb, lgamma

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmirage.evaluate.k_curve import any_of_k, k_curve, pooled_shots, shot_rates
from unmirage.evaluate.rates import all_of, any_of
from unmirage.intervals import rate, wilson
from unmirage.records import Verdict

C, R, X = Verdict.COMPLIED, Verdict.REFUSED, Verdict.INVALID
LETTERS = dict(zip("cribx", Verdict, strict=True))


def shots(text):
    return [[LETTERS[letter] for letter in word] for word in text.split()]


def counts(found):
    return found.k, found.n, found.invalid


@pytest.mark.parametrize("n", range(1, 9))
def test_the_estimator_is_the_share_of_all_subsets_that_hold_a_success(n):
    for c in range(n + 1):
        own = [True] * c + [False] * (n - c)
        for k in range(1, n + 1):
            hits = [any(chosen) for chosen in combinations(own, k)]
            assert any_of_k(n, c, k) == pytest.approx(float(Fraction(sum(hits), len(hits))), rel=1e-14)


# By hand: 1 - C(3,2)/C(5,2) = 1 - 3/10;  1 - C(8,3)/C(10,3) = 1 - 56/120;  1 - (98/100)(97/99).
@pytest.mark.parametrize(
    ("n", "c", "k", "expected"), [(5, 2, 2, 0.7), (10, 2, 3, 64 / 120), (100, 2, 2, 1 - 9506 / 9900), (3, 0, 3, 0)]
)
def test_worked_by_hand(n, c, k, expected):
    assert any_of_k(n, c, k) == pytest.approx(expected, rel=1e-13, abs=0)


@given(st.integers(1, 20_000), st.data())
def test_large_numbers_neither_overflow_nor_lose_small_chances(n, data):
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    total = comb(n, k)
    assert any_of_k(n, c, k) == pytest.approx((total - comb(n - c, k)) / total, rel=1e-9, abs=1e-300)


def test_a_tiny_chance_keeps_its_digits():
    assert any_of_k(10**7, 1, 1) == pytest.approx(1e-7, rel=1e-12)


@pytest.mark.parametrize(("n", "c", "k"), [(3, 1, 4), (3, 4, 1), (3, 1, 0), (0, 0, 1)])
def test_what_cannot_be_drawn_is_refused(n, c, k):
    with pytest.raises(ValueError, match=f"n={n}, c={c}, k={k}"):
        any_of_k(n, c, k)


def test_the_curve_of_a_small_case():
    curve = k_curve(C, shots("crr rrr ccr ccc"))
    assert [one.value for one in curve] == pytest.approx([0.5, (2 / 3 + 1 + 1) / 4, 0.75])
    assert curve[1].k == pytest.approx(8 / 3)
    assert curve[-1] == rate(3, 4)
    assert k_curve(C, []) == ()


def test_queries_with_too_few_valid_shots_leave_whether_or_not_they_succeeded():
    curve = k_curve(C, shots("cxx rxx crr rrr xxx"))
    assert [counts(one) for one in curve] == [
        (pytest.approx(1 + 1 / 3), 4, 1),
        (pytest.approx(2 / 3), 2, 3),
        (1, 2, 3),
    ]
    assert counts(k_curve(C, shots("x xx"))[1]) == (0, 0, 2)


def test_missing_verdicts_do_not_raise_the_curve():
    # Half of all shots lose their verdict; the kept successes alone would make this about 0.8.
    generator = np.random.default_rng(5)
    found = generator.random((4000, 3)) < 0.3
    lost = generator.random((4000, 3)) < 0.5
    verdicts = [
        [X if gone else C if hit else R for hit, gone in zip(*row, strict=True)]
        for row in zip(found, lost, strict=True)
    ]
    assert k_curve(C, verdicts)[2].value == pytest.approx(1 - 0.7**3, abs=0.04)


def test_each_shot_alone():
    assert shot_rates(C, shots("crr rc xcc")) == (rate(1, 2, 1), rate(2, 3), rate(1, 2))
    assert shot_rates(C, []) == ()


def test_shots_at_one_query_are_not_independent_trials():
    # Three shots that always agree tell no more than one: 5 of 10, not 15 of 30.
    alike = pooled_shots(C, shots("ccc " * 5 + "rrr " * 5))
    assert (counts(alike), alike.clusters) == ((15, 30, 0), 10)
    assert alike.design_effect == pytest.approx(30 / 9)
    assert (alike.low, alike.high) == pytest.approx((rate(5, 10).low, rate(5, 10).high))
    assert pooled_shots(C, shots("c r r")) == rate(1, 3)
    assert pooled_shots(C, shots("xx x")) == rate(0, 0, 3)
    # No query differs from another: as many trials as queries.
    assert pooled_shots(C, shots("rrr rrr")).high == rate(0, 2).high


def test_a_query_counts_as_no_more_draws_of_k_than_its_shots_make():
    """40 queries of 3 valid shots make 120 draws of one shot and 60 of two, though their chances hardly differ."""
    curve = k_curve(C, shots("crr " * 39 + "ccr"))
    for found, share, most in ((curve[0], 41 / 120, 120), (curve[1], (39 * 2 / 3 + 1) / 40, 60)):
        assert found.value == pytest.approx(share)
        assert (found.low, found.high) == pytest.approx(wilson(share * most, most))
    assert curve[2].low == rate(40, 40).low


def test_queries_of_one_cluster_are_not_independent():
    verdicts = shots("ccc ccc rrr rrr " * 6)
    clusters = [number // 2 for number in range(24)]  # twelve of two queries, six of which succeed
    for found in (
        *k_curve(C, verdicts, clusters),
        pooled_shots(C, verdicts, clusters),
        *shot_rates(C, verdicts, clusters),
    ):
        assert (found.value, found.clusters) == (0.5, 12)
        assert (found.low, found.high) == pytest.approx(wilson(6, 12))


@given(st.lists(st.text("cribx", min_size=1, max_size=5), max_size=12))
def test_rates_are_rates(samples):
    verdicts = shots(" ".join(samples))
    for found in (*k_curve(C, verdicts), pooled_shots(C, verdicts), *shot_rates(C, verdicts)):
        if found.n:
            assert 0 <= found.low <= found.value <= found.high <= 1
            assert found.value == pytest.approx(found.k / found.n)
        else:
            assert found.value is None


def _any_of(k, a, b):
    """Return the chance that any of k shots succeeds where each query's own chance is drawn from Beta(a, b)."""
    return 1 - np.exp(lgamma(b + k) + lgamma(a + b) - lgamma(b) - lgamma(a + b + k))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("a", "b", "size", "most"), [(0.5, 0.5, 60, 5), (1.0, 3.0, 150, 3), (6.0, 4.0, 150, 4), (0.3, 1.7, 250, 3)]
)
def test_intervals_hold_the_truth_as_often_as_they_say(a, b, size, most):
    generator = np.random.default_rng(11)
    runs = generator.binomial(most, generator.beta(a, b, (1500, size)))  # successes of each query
    own = [[C] * c + [R] * (most - c) for c in range(most + 1)]
    ks = (1, 2, most)
    truths = [a / (a + b), *(_any_of(k, a, b) for k in ks)]
    covered, plainly = [], []
    for run in runs.tolist():
        verdicts = [own[c] for c in run]
        curve = k_curve(C, verdicts)
        found = [pooled_shots(C, verdicts), *(curve[k - 1] for k in ks)]
        covered.append([one.low <= truth <= one.high for one, truth in zip(found, truths, strict=True)])
        independent = rate(sum(run), size * most)
        plainly.append(independent.low <= truths[0] <= independent.high)
    assert np.mean(covered, axis=0) == pytest.approx(0.95, abs=0.02)
    assert np.mean(plainly) < np.mean(covered, axis=0)[0]
    if a == 0.5:  # shots at one query nearly always agree: taken as independent, they promise far too much
        assert np.mean(plainly) < 0.8


WORDS = st.lists(st.text("crx", min_size=1, max_size=3), min_size=1, max_size=3).map(" ".join)


def bounds(found):
    return found.least, found.most


@settings(deadline=None, max_examples=50)
@given(WORDS)
def test_the_bounds_are_those_of_all_ways_to_fill_the_gaps(text):
    longest = max(map(len, text.split()))
    text = " ".join(word.ljust(longest, "x") for word in text.split())
    filled = [shots(text.replace("x", "{}").format(*fill)) for fill in product("cr", repeat=text.count("x"))]
    for compute in (k_curve, shot_rates, lambda *asked: [pooled_shots(*asked), any_of(*asked), all_of(*asked)]):
        every = [compute(C, one) for one in filled]
        for place, one in enumerate(compute(C, shots(text))):
            values = [found[place].value for found in every]
            assert bounds(one) == pytest.approx((min(values), max(values)), abs=1e-12)


def test_a_query_with_fewer_shots_lacks_the_others():
    # By hand at k = 2: "c" succeeds whatever the second shot is, "r" only if the second does; "rr" fails.
    assert bounds(k_curve(C, shots("c r rr"))[1]) == pytest.approx((1 / 3, 2 / 3))
    assert bounds(k_curve(C, shots("c r rr"))[0]) == pytest.approx((1 / 3, 1 / 3))


def test_bounds_of_complete_shots_are_the_rate():
    for one in k_curve(C, shots("ccr rrr crr")):
        assert bounds(one) == (one.value, one.value)
        assert one.certain
