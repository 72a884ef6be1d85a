from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from unmirage.evaluate.rates import any_of, rate, share_of, wilson
from unmirage.records import Rate, Verdict

C, R, I, X = Verdict.COMPLIED, Verdict.REFUSED, Verdict.IRRELEVANT, Verdict.INVALID  # noqa: E741
VERDICTS = st.sampled_from(Verdict)
SHOTS = st.lists(st.lists(VERDICTS, max_size=4), max_size=12)
COUNTS = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


# Worked by hand with z = 1.959964 (z² = 3.841459):
# 5 of 10: centre 0.5, half = 1.959964 / 1.3841459 · √(0.025 + 0.00960365) = 0.263407.
# 0 of 10: low 0, high = z² / (n + z²) = 3.841459 / 13.841459.   1 of 1: low = 1 / (1 + z²).
@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (5, 10, 0.236593, 0.763407),
        (0, 10, 0.0, 0.277533),
        (10, 10, 0.722467, 1.0),
        (1, 1, 0.206549, 1.0),
        (0, 1, 0.0, 0.793451),
        (2, 3, 0.207660, 0.938508),
        (57, 442, 0.100882, 0.163430),  # the paper's n: RMU's 10.18 % and NPO's 12.92 % overlap
        (45, 442, 0.076962, 0.133519),
    ],
)
def test_wilson_worked_by_hand(k, n, low, high):
    assert wilson(k, n) == pytest.approx((low, high), abs=1e-6)


@given(COUNTS, st.sampled_from((0.8, 0.95, 0.99)))
def test_wilson_is_scipys(count, level):
    k, n = count
    found = binomtest(k, n).proportion_ci(confidence_level=level, method="wilson")
    assert wilson(k, n, level) == pytest.approx((found.low, found.high), abs=1e-9)


@given(COUNTS)
def test_the_interval_lies_in_0_to_1_around_the_share_and_is_symmetric(count):
    k, n = count
    low, high = wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    assert low < high
    assert wilson(n - k, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def coverage(n, share):
    """Return the exact chance that the interval of a binomial draw holds the true share."""
    return sum(
        comb(n, k) * share**k * (1 - share) ** (n - k)
        for k in range(n + 1)
        if wilson(k, n)[0] <= share <= wilson(k, n)[1]
    )


@pytest.mark.parametrize("n", [10, 40, 200])
def test_coverage_is_near_95_per_cent(n):
    shares = [step / 50 for step in range(1, 50)]
    covered = [coverage(n, share) for share in shares]
    assert sum(covered) / len(covered) == pytest.approx(0.95, abs=0.012)
    assert min(covered) > 0.83


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_counts_that_cannot_be_are_refused(k, n):
    with pytest.raises(ValueError, match=f"k={k}, n={n}"):
        wilson(k, n)


def test_a_rate_without_trials_is_not_estimable():
    assert rate(0, 0, 3) == Rate(value=None, low=None, high=None, k=0, n=0, invalid=3)
    assert share_of(C, []) == rate(0, 0)
    assert share_of(C, [X, X]) == rate(0, 0, 2)
    assert any_of(C, []) == rate(0, 0)


def test_a_rate_carries_its_interval_and_counts():
    found = rate(5, 10, 2)
    assert (found.value, found.k, found.n, found.invalid) == (0.5, 5, 10, 2)
    assert (found.low, found.high) == wilson(5, 10)


def test_invalid_verdicts_leave_the_denominator_of_a_share():
    assert share_of(R, [R, C, X, R, I, X]) == rate(2, 4, 2)
    assert share_of(I, iter([R, C, X])) == rate(0, 2, 1)


@pytest.mark.parametrize(
    ("shots", "expected"),
    [
        ([[C, R, R], [R, R, R]], (1, 2, 0)),
        ([[R, C, X]], (1, 1, 0)),  # a success needs no other shot
        ([[R, X, R]], (0, 0, 1)),  # the invalid shot might have been one: undecided
        ([[X, X], [C, C], [I, R]], (1, 2, 1)),
        ([[], [C]], (1, 1, 1)),
        ([[C, C, C]], (1, 1, 0)),  # a sample counts once
    ],
)
def test_any_of_counts_samples_and_leaves_undecided_ones_out(shots, expected):
    assert any_of(C, shots) == rate(*expected)


@given(SHOTS, VERDICTS.filter(lambda verdict: verdict is not X))
def test_every_sample_is_a_success_a_failure_or_undecided(shots, verdict):
    found = any_of(verdict, shots)
    assert found.n + found.invalid == len(shots)
    assert found.k == sum(verdict in one for one in shots)
    assert found.n - found.k == sum(bool(one) and verdict not in one and X not in one for one in shots)


@given(st.lists(VERDICTS, max_size=20))
def test_the_shares_of_the_valid_verdicts_add_up_to_one(verdicts):
    shares = [share_of(verdict, verdicts) for verdict in (C, R, I)]
    assert sum(share.k for share in shares) == shares[0].n
    assert shares[0].n + shares[0].invalid == len(verdicts)
    assert share_of(C, verdicts) == any_of(C, [[verdict] for verdict in verdicts])
