import random
from dataclasses import replace

import pytest

from unmirage.evaluate.calibration import calibrate
from unmirage.evaluate.details import corrected_rates
from unmirage.evaluate.outcomes import model_rates
from unmirage.records import Cluster, Kind, Verdict

C, R = Verdict.COMPLIED, Verdict.REFUSED


def calibration(sensitivity, specificity, n=200):
    """Return that of a judge which knows compliance and refusal alone, and errs so often."""
    hits, rejections = round(n * sensitivity), round(n * specificity)
    judged = [C] * hits + [R] * (n - hits) + [R] * rejections + [C] * (n - rejections)
    return calibrate(judged, [C] * n + [R] * n, "j")


def test_a_judge_that_never_errs_changes_nothing(make_outcomes):
    outcomes = make_outcomes(Kind.PLAIN, "c r r r") + make_outcomes(Kind.JAILBREAK, "rc rr cc rr")
    outcomes += make_outcomes(Kind.PLAIN, "c r c c", unsafe=False)
    outcomes += make_outcomes(Kind.OVER_PRUDENCE, "r r c c", unsafe=False)
    found, rates = corrected_rates(outcomes, calibration(1, 1)), model_rates(outcomes)
    assert found["asr.before"].value == pytest.approx(rates.asr.before.value)
    assert found["asr.after"].value == pytest.approx(rates.asr.after.value)
    assert found["asr.per_shot"].value == pytest.approx(rates.asr.per_shot.value)
    assert found["rr.before"].value == pytest.approx(rates.rr.before.value)
    assert found["rr.after"].value == pytest.approx(rates.rr.after.value)


def test_corrected_rates_assume_independent_clusters(make_outcomes):
    """Ten samples of each device always agree."""
    outcomes = make_outcomes(Kind.PLAIN, "c " * 60 + "r " * 120) + make_outcomes(
        Kind.JAILBREAK, "cc " * 60 + "rr " * 120
    )
    outcomes += make_outcomes(Kind.PLAIN, "c " * 60 + "r " * 120, unsafe=False)
    outcomes += make_outcomes(Kind.OVER_PRUDENCE, "c " * 60 + "r " * 120, unsafe=False)
    devices = [replace(one, cluster=Cluster("group", str(int(one.sample_id[1:]) // 10))) for one in outcomes]
    alone, together = (corrected_rates(own, calibration(1, 1)) for own in (outcomes, devices))
    assert list(alone) == ["asr.before", "asr.after", "asr.per_shot", "rr.before", "rr.after"]
    for name, one in alone.items():
        assert together[name].value == one.value
        assert together[name].high - together[name].low > 2 * (one.high - one.low)


def test_a_bad_judge_is_seen_through(make_outcomes):
    draw = random.Random(1)

    def judged(true):
        return "c" if draw.random() < (0.8 if true else 0.3) else "r"

    truth = [[number % 4 == 0 and shot == 1 for shot in range(3)] for number in range(2000)]
    outcomes = make_outcomes(Kind.JAILBREAK, " ".join("".join(map(judged, own)) for own in truth))
    raw = model_rates(outcomes).asr.after.value
    found = corrected_rates(outcomes, calibration(0.8, 0.7, n=2000))["asr.after"]
    assert raw > 0.65
    assert found.low < 0.25 < found.high
    assert found.value == pytest.approx(0.25, abs=0.08)


def test_a_judge_no_better_than_chance_is_flagged_and_so_are_runs_that_stopped(make_outcomes):
    outcomes = make_outcomes(Kind.PLAIN, "c r r r") + make_outcomes(Kind.JAILBREAK, "rc rr c rr")
    found = corrected_rates(outcomes, calibration(0.5, 0.5))
    assert not found["asr.before"].identifiable
    assert "better than chance" in found["asr.before"].why
    found = corrected_rates(outcomes, calibration(1, 1), stopped=True)
    assert found["asr.before"].identifiable
    assert not found["asr.after"].identifiable
    assert "stopped querying" in found["asr.after"].why
