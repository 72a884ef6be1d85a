"""What is decided about a sample is what its rate counts."""

from hypothesis import given
from hypothesis import strategies as st

from unmirage.evaluate.decided import RATES, decided
from unmirage.evaluate.outcomes import model_rates
from unmirage.records import Kind

WORDS = st.lists(st.text("crix", min_size=1, max_size=3), max_size=8).map(" ".join)


def test_any_shot_decides_and_what_has_no_verdict_does_not(make_outcomes):
    outcomes = make_outcomes(Kind.JAILBREAK, "rc rx cx rr ix")
    assert decided(outcomes)["asr.after"] == {(0, "u0"): True, (0, "u2"): True, (0, "u3"): False}
    outcomes = make_outcomes(Kind.UTILITY, "c r x", unsafe=False, group=2)
    assert decided(outcomes)["utility"] == {(2, "b0"): True, (2, "b1"): False}


@given(WORDS, WORDS, WORDS, WORDS)
def test_it_adds_up_to_the_rates(make_outcomes, unsafe, attacked, benign, prudent):
    outcomes = make_outcomes(Kind.PLAIN, " ".join(word[0] for word in unsafe.split()))
    outcomes += make_outcomes(Kind.JAILBREAK, attacked)
    outcomes += make_outcomes(Kind.PLAIN, " ".join(word[0] for word in benign.split()), unsafe=False)
    outcomes += make_outcomes(Kind.OVER_PRUDENCE, prudent, unsafe=False)
    rates, found = model_rates(outcomes), decided(outcomes)
    assert tuple(found) == RATES
    for name, pair in (("asr", rates.asr), ("rr", rates.rr)):
        for when in ("before", "after"):
            own = found[f"{name}.{when}"]
            assert (sum(own.values()), len(own)) == (getattr(pair, when).k, getattr(pair, when).n)
