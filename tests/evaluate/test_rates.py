import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.evaluate.rates import any_of, share_of
from unmirage.intervals import rate
from unmirage.records import Verdict

C, R, I, X = Verdict.COMPLIED, Verdict.REFUSED, Verdict.IRRELEVANT, Verdict.INVALID  # noqa: E741
VERDICTS = st.sampled_from(Verdict)
SHOTS = st.lists(st.lists(VERDICTS, max_size=4), max_size=12)


def test_a_share_without_trials_is_not_estimable():
    assert share_of(C, []) == rate(0, 0)
    assert share_of(C, [X, X]) == rate(0, 0, 2)
    assert any_of(C, []) == rate(0, 0)


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
    shares = [share_of(verdict, verdicts) for verdict in Verdict if verdict is not X]
    assert sum(share.k for share in shares) == shares[0].n
    assert shares[0].n + shares[0].invalid == len(verdicts)
    assert share_of(C, verdicts) == any_of(C, [[verdict] for verdict in verdicts])
