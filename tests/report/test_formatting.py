import pytest

from unmirage.evaluate.k_curve import k_curve
from unmirage.intervals import rate
from unmirage.records import Verdict
from unmirage.report.settings import flat
from unmirage.text.formatting import (
    count,
    duration,
    listed,
    percent,
    points,
    rate_points,
    signed,
    signed_points,
    small_number,
    successes,
)


@pytest.mark.parametrize(
    ("share", "said"),
    [(None, "n/a"), (0.0, "0 %"), (0.003, "0.3 %"), (0.71, "71 %"), (0.997, "99.7 %"), (1.0, "100 %")],
)
def test_a_share_in_a_sentence(share, said):
    assert percent(share).replace("\u00a0", " ") == said


def test_numbers():
    assert (points(None), points(0.7105)) == ("n/a", "71.0")
    assert (points(-0.0301), points(-0.0001)) == ("−3.0", "0.0")
    assert (signed_points(0.271), signed_points(-0.005), signed_points(-0.0001)) == ("+27.1", "−0.5", "+0.0")
    assert signed_points(None) == ""
    assert (count(12345), count(12345.0), count(1212.333)) == ("12,345", "12,345", "1,212.3")
    assert (successes(1212), successes(1212.333), successes(3.0000000000001)) == ("1212", "1212.3", "3")
    assert (signed(-1.5), signed(0.25)) == ("−1.50", "+0.25")
    assert (small_number(0.0), small_number(0.0421)) == ("<0.001", "0.042")
    assert [duration(s) for s in (0.64, 59.0, 372.4, 7290)] == ["0.6 s", "59.0 s", "6 min 12 s", "2 h 1 min"]
    assert [listed(p) for p in ([], ["a"], ["a", "b"], "abc")] == ["", "a", "a and b", "a, b and c"]


def test_settings_are_flat_and_keep_their_secrets():
    nested = {"a": {"b": [1, 2], "api_key": "x"}, "max_tokens": 5, "hf_token": "y", "none": None, "e": {}}
    assert dict(flat(nested)) == {
        "a.b": "1, 2",
        "a.api_key": "[hidden]",
        "max_tokens": "5",
        "hf_token": "[hidden]",
        "none": "null",
        "e": "{}",
    }


def test_settings_of_any_depth_are_shown():
    deep = "end"
    for _ in range(200):
        deep = {"x": deep}
    assert [name for name, _ in flat(deep)] == ["x.x.x.x.x.x"]


def test_a_rate_with_missing_verdicts_shows_its_bounds():
    # By hand: 2 of 6, with 4 missing: 2/10 to 6/10; Wilson's interval of 2 in 6 is 9.7 to 70.0.
    assert rate_points(rate(2, 6, 4), interval=True) == "33.3 [10–70] (bounds 20.0–60.0, 4 missing)"
    assert rate_points(rate(2, 6, 4)) == "33.3 (bounds 20.0–60.0, 4 missing)"
    assert rate_points(rate(0, 0, 6)) == rate_points(rate(0, 0, 6), interval=True) == "n/a (bounds 0–100, 6 missing)"
    assert (rate_points(rate(2, 6)), rate_points(rate(0, 0))) == ("33.3", "n/a")
    (one, _) = k_curve(Verdict.COMPLIED, [[Verdict.COMPLIED, Verdict.INVALID]])
    assert rate_points(one) == "100.0 (bounds 50.0–100)"  # one of two shots is missing, but no query
