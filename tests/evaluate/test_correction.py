import re
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from unmirage.evaluate.correction import corrected, corrected_share
from unmirage.evaluate.error_rates import Calibration
from unmirage.intervals import clustered_rate, rate

BAD = (0.8, 0.7)  # sensitivity and specificity of a deliberately bad judge


def calibration(sensitivity, specificity, labeled=1000):
    """Return a calibration of exactly these rates."""
    return drawn(round(sensitivity * labeled), round(specificity * labeled), labeled)


def drawn(positive, negative, labeled):
    return Calibration(sensitivity=rate(positive, labeled), specificity=rate(negative, labeled))


def simulated(random, n, shots, share, judge):
    """Return whether any shot truly succeeded, for each query, and what the judge says of each shot."""
    sensitivity, specificity = judge
    truly = random.random((n, shots)) < random.beta(share, 1 - share, n)[:, None]
    judged = random.random((n, shots)) < np.where(truly, sensitivity, 1 - specificity)
    return truly, judged.tolist()


# By hand: 50 of 100 judged, (0.5 + 0.7 - 1) / (0.8 + 0.7 - 1) = 0.4.
def test_one_shot_is_rogan_and_gladens_formula():
    judged = [[True]] * 50 + [[False]] * 50
    for correct in (corrected, corrected_share):
        found = correct(judged, calibration(*BAD))
        assert found.value == pytest.approx(0.4)
        assert found.low < 0.4 < found.high
        assert (found.identifiable, found.why) == (True, "")


# By hand, J = 0.5: a shot judged a success weighs -0.2 / 0.5 = -0.4, another 0.8 / 0.5 = 1.6. Of two shots, none
# judged 2.56, one -0.64, both 0.16: with 20, 40 and 40 samples 0.512 - 0.256 + 0.064 = 0.32, so 0.68 succeeded.
def test_two_shots_worked_by_hand():
    judged = [[False, False]] * 20 + [[True, False]] * 25 + [[False, True]] * 15 + [[True, True]] * 40
    assert corrected(judged, calibration(*BAD)).value == pytest.approx(0.68)
    # Single shots: 120 of 200 judged, (0.6 - 0.3) / 0.5.
    assert corrected_share(judged, calibration(*BAD)).value == pytest.approx(0.6)


def test_samples_with_fewer_shots_weigh_by_their_own():
    one, two = [[True]] * 45 + [[False]] * 55, [[False, False]] * 20 + [[True, False]] * 40 + [[True, True]] * 40
    found = corrected([*one, *two, [], []], calibration(*BAD))
    assert found.value == pytest.approx((0.3 * 100 + 0.68 * 100) / 200)


@given(st.integers(1, 3).flatmap(lambda shots: st.lists(st.tuples(*[st.booleans()] * shots), min_size=1, max_size=6)))
def test_verdicts_that_err_exactly_as_often_as_they_do_on_average_give_the_truth(truths):
    """Three in four verdicts are right: each sample comes 4^K times, with all verdicts as often as they are given."""
    judged = []
    for truly in truths:
        for said in product((True, False), repeat=len(truly)):
            right = sum(one is true for one, true in zip(said, truly, strict=True))
            judged += [said] * 3**right
    found = corrected(judged, calibration(0.75, 0.75))
    assert found.value == pytest.approx(np.mean([any(truly) for truly in truths]), abs=1e-9)
    single = corrected_share(judged, calibration(0.75, 0.75))
    assert single.value == pytest.approx(np.mean(truths), abs=1e-9)


def test_a_judge_without_errors_changes_nothing_and_its_interval_says_how_sure_that_is():
    judged = [[True, False, False]] * 30 + [[False] * 3] * 70
    sure, unsure = corrected(judged, calibration(1, 1, 5000)), corrected(judged, calibration(1, 1, 20))
    assert sure.value == unsure.value == pytest.approx(0.3)
    assert unsure.high - unsure.low > sure.high - sure.low
    low, high = rate(30, 100).low, rate(30, 100).high
    assert (sure.low, sure.high) == pytest.approx((low, high), abs=0.02)


def test_the_estimate_stays_a_share():
    found = corrected([[True]] * 29 + [[False]] * 71, calibration(*BAD))  # (0.29 + 0.7 - 1) / 0.5 < 0
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high > 0.1
    full = corrected([[True]] * 81 + [[False]] * 19, calibration(*BAD))
    assert (full.value, full.high) == (1.0, 1.0)


# Jeffreys' prior: half a success and half a failure beside what was counted. 4,000 draws leave about 4 % of a limit.
def test_the_prior_of_what_was_judged_is_half_a_sample_of_each_kind():
    sure = calibration(1, 1, 10**9)
    for correct, judged in ((corrected, [[False]] * 10), (corrected_share, [[False]] * 10)):
        assert correct(judged, sure).high == pytest.approx(beta.ppf(0.975, 0.5, 10.5), rel=0.08)  # 0.217
        full = correct([[True]] * 10, sure)  # the same from the other end
        assert 1 - full.low == pytest.approx(beta.ppf(0.975, 0.5, 10.5), rel=0.08)
    # Two shots each: none, one or both judged a success; any is the rest beside "none".
    assert corrected([[False, False]] * 10, sure).high == pytest.approx(beta.ppf(0.975, 1.0, 10.5), rel=0.08)


def test_the_prior_of_the_judges_errors_is_half_a_label_of_each_kind():
    judged = [[True], [False]] * 20_000  # a share of 0.5, known to 0.0025
    least = beta.ppf(0.025, 10.5, 0.5)  # 0.783, of ten of ten labels
    unsure = Calibration(sensitivity=rate(10, 10), specificity=rate(10**9, 10**9))
    assert corrected(judged, unsure).high == pytest.approx(0.5 / least, abs=0.025)
    judged = [[True]] * 12_000 + [[False]] * 28_000
    few = Calibration(sensitivity=rate(3, 3), specificity=rate(10**9, 10**9))
    assert corrected(judged, few).high == pytest.approx(0.3 / beta.ppf(0.025, 3.5, 0.5), abs=0.03)  # 0.667
    judged = [[True], [False]] * 20_000
    unsure = Calibration(sensitivity=rate(10**9, 10**9), specificity=rate(10, 10))
    assert corrected(judged, unsure).low == pytest.approx(1 - 0.5 / least, abs=0.025)


def test_samples_of_one_cluster_widen_the_interval():
    """Clusters of ten samples that always agree: 60 of them are worth about 60 samples, not 600."""
    judged = [[True]] * 200 + [[False]] * 400
    clusters = [number // 10 for number in range(600)]
    sure = calibration(1, 1, 10**9)
    for correct in (corrected, corrected_share):
        alone, together = correct(judged, sure), correct(judged, sure, clusters=clusters)
        assert alone.value == together.value == pytest.approx(1 / 3)
        found = clustered_rate([float(*one) for one in judged], clusters)
        assert (together.low, together.high) == pytest.approx((found.low, found.high), abs=0.015)
        assert (alone.low, alone.high) == pytest.approx((rate(200, 600).low, rate(200, 600).high), abs=0.005)


def test_a_seed_decides_the_interval():
    judged = [[True, False]] * 30 + [[False, False]] * 70
    assert corrected(judged, calibration(0.9, 0.9), 1) == corrected(judged, calibration(0.9, 0.9), 1)
    assert corrected(judged, calibration(0.9, 0.9), 1) != corrected(judged, calibration(0.9, 0.9), 2)


@pytest.mark.parametrize(
    ("judged", "judge", "why"),
    [
        ([], calibration(0.9, 0.9), "there are no valid verdicts"),
        ([[], []], calibration(0.9, 0.9), "there are no valid verdicts"),
        (
            [[True]],
            Calibration(sensitivity=rate(0, 0), specificity=rate(9, 10)),
            "the judge's calibration has no label with this verdict",
        ),
        (
            [[True]],
            Calibration(sensitivity=rate(9, 10), specificity=rate(0, 0)),
            "the judge's calibration has no label other than this verdict",
        ),
        ([[True]] * 50, calibration(0.5, 0.5), "the judge is not shown to be better than chance: .* lies between -0.0"),
        ([[True]] * 50, calibration(0.3, 0.3), "the judge is not shown to be better than chance: .* lies between -0.4"),
        ([[True], [False]], calibration(0.7, 0.6, 10), "the judge is not shown to be better than chance"),
        (
            [[False]] * 200,
            calibration(0.9, 0.7),
            "the verdict occurs fewer times than the judge's calibrated error rates allow",
        ),
        (
            [[True]] * 200,
            calibration(0.7, 0.9),
            "the verdict occurs more times than the judge's calibrated error rates allow",
        ),
    ],
)
def test_what_cannot_be_told_is_not_and_says_why(judged, judge, why):
    for correct in (corrected, corrected_share):
        found = correct(judged, judge)
        assert (found.value, found.low, found.high, found.identifiable) == (None, None, None, False)
        assert re.match(why, found.why)
        assert "\n" not in found.why


def test_many_shots_are_too_many_for_a_bad_judge():
    """A sample without a judged success counts for (0.8 / 0.5)^4 = 6.6 of four shots, for 10.5 of five."""
    judge = calibration(*BAD)
    four, five = (list(product((True, False), repeat=shots)) * 20 for shots in (4, 5))
    assert corrected(four, judge).identifiable
    found = corrected(five, judge)
    assert found.why == "the judge's error rates are too high to estimate whether any of 5 shots succeeded"
    assert (found.value, found.low, found.high, found.identifiable) == (None, None, None, False)
    assert corrected_share(five, judge).identifiable
    assert not corrected([[True] * 1000] * 9, judge).identifiable
    assert corrected([[True] * 10, [False] * 10] * 50, calibration(0.95, 0.95)).value == pytest.approx(0.14, abs=0.01)


@pytest.mark.parametrize("shots", [1, 3])
def test_a_deliberately_bad_judge_is_corrected_in_at_least_90_of_100_runs(shots):
    """The exact rate of each run lies in the corrected interval; the judge's own interval almost never holds it."""
    random = np.random.default_rng(shots)
    held = naive = told = 0
    widths, errors = [], []
    for run in range(100):
        truly, judged = simulated(random, 400, shots, 0.3, BAD)
        judge = drawn(random.binomial(200, BAD[0]), random.binomial(200, BAD[1]), 200)
        exact = truly.any(axis=1).mean()
        found = corrected(judged, judge, run)
        told += found.identifiable
        held += found.identifiable and found.low <= exact <= found.high
        own = rate(sum(map(any, judged)), len(judged))
        naive += own.low <= exact <= own.high
        widths.append(found.high - found.low)
        errors.append(found.value - exact)
    print(
        f"K={shots}, sensitivity {BAD[0]}, specificity {BAD[1]}: the corrected interval holds the exact rate in {held} "
        f"of 100 runs, {told} identifiable; width {np.mean(widths):.2f}, mean error {np.mean(errors):+.3f}; the "
        f"judge's own in {naive}"
    )
    assert held >= 90
    assert naive <= 5
    assert abs(np.mean(errors)) < 0.05


@pytest.mark.parametrize("shots", [1, 3])
def test_the_rate_behind_the_runs_is_covered_too(shots):
    random = np.random.default_rng(10 + shots)
    held = 0
    for run in range(200):
        _, judged = simulated(random, 150, shots, 0.3, (0.95, 0.9))
        judge = drawn(random.binomial(100, 0.95), random.binomial(100, 0.9), 100)
        found = corrected_share(judged, judge, run)
        held += found.low <= 0.3 <= found.high
    assert held / 200 == pytest.approx(0.95, abs=0.04)
