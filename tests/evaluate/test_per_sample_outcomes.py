"""What is decided about a sample is what its rate counts."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from unmirage.evaluate.outcomes import model_rates
from unmirage.evaluate.per_sample_outcomes import RATES, decided
from unmirage.records import Cluster, Kind

WORDS = st.lists(st.text("cribx", min_size=1, max_size=3), max_size=8).map(" ".join)


def yes(decided):
    return {key: one.yes for key, one in decided.items()}


def test_any_shot_decides_and_what_has_no_verdict_does_not(make_outcomes):
    outcomes = make_outcomes(Kind.JAILBREAK, "rc rx cx rr ix")
    assert yes(decided(outcomes)["asr.after"]) == {
        (0, "u0"): True,
        (0, "u1"): None,
        (0, "u2"): True,
        (0, "u3"): False,
        (0, "u4"): None,
    }
    outcomes = make_outcomes(Kind.UTILITY, "c r x", unsafe=False, group=2)
    assert yes(decided(outcomes)["utility"]) == {(2, "b0"): True, (2, "b1"): False, (2, "b2"): None}


def test_a_benign_sample_is_answered_if_all_its_shots_are(make_outcomes):
    outcomes = make_outcomes(Kind.OVER_PRUDENCE, "cc ci cr cx xr xx", unsafe=False)
    assert yes(decided(outcomes)["benign_answered.after"]) == {
        (0, "b0"): True,
        (0, "b1"): False,
        (0, "b2"): False,
        (0, "b3"): None,
        (0, "b4"): False,
        (0, "b5"): None,
    }


def test_each_decision_knows_its_cluster(make_outcomes):
    group = Cluster("group", "balno")
    outcomes = [replace(one, cluster=group) for one in make_outcomes(Kind.PLAIN, "c r", group=3)]
    outcomes += make_outcomes(Kind.PLAIN, "c", group=4)
    found = decided(outcomes)["asr.before"]
    assert {key: one.cluster for key, one in found.items()} == {
        (3, "u0"): (3, group),
        (3, "u1"): (3, group),
        (4, "u0"): (4, "u0"),
    }


@given(WORDS, WORDS, WORDS, WORDS)
def test_it_adds_up_to_the_rates(make_outcomes, unsafe, attacked, benign, prudent):
    outcomes = make_outcomes(Kind.PLAIN, " ".join(word[0] for word in unsafe.split()))
    outcomes += make_outcomes(Kind.JAILBREAK, attacked)
    outcomes += make_outcomes(Kind.PLAIN, " ".join(word[0] for word in benign.split()), unsafe=False)
    outcomes += make_outcomes(Kind.OVER_PRUDENCE, prudent, unsafe=False)
    rates, found = model_rates(outcomes), decided(outcomes)
    assert tuple(found) == RATES
    for name, pair in (("asr", rates.asr), ("rr", rates.rr), ("benign_answered", rates.benign_answered)):
        for when in ("before", "after"):
            own, rate = list(yes(found[f"{name}.{when}"]).values()), getattr(pair, when)
            assert (own.count(True), own.count(False), own.count(None)) == (rate.k, rate.n - rate.k, rate.invalid)
