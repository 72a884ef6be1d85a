import pytest

from unmirage.audit import AuditResult
from unmirage.documents import parsed
from unmirage.records import Finding
from unmirage.report.forest import forest


def finding(log_odds, low, high, **changes):
    return parsed(
        Finding,
        {"feature": "w", "position": "any", "refused": 1, "answered": 1, "log_odds": log_odds, "low": low, "high": high,
         "q_value": 0.1, "direction": "refusal" if log_odds > 0 else "answer"}
        | changes
    )  # fmt: skip


def test_positions_are_those_worked_out_by_hand():
    # The axis holds −1.5 and 2.2, so it goes from −2 to 3. A unit is 96 / 5 = 19.2 % wide, and 0 is at 2 + 2 × 19.2.
    found = forest(
        [
            finding(-1, -1.5, -0.5),
            finding(2, 1.8, 2.2, given_opener={"log_odds": 0.5, "low": 0.0, "high": 1.0}),
        ]
    )
    assert found.zero == 40.4
    strong, weak = found.rows
    assert (strong.alone.x, strong.alone.low, strong.alone.high) == pytest.approx((78.8, 74.96, 82.64))
    assert (strong.given.x, strong.given.low, strong.given.high) == pytest.approx((50.0, 40.4, 59.6))
    assert (weak.alone.x, weak.given) == (pytest.approx(21.2), None)
    assert found.ticks == ((2.0, "−2"), (21.2, "−1"), (40.4, "0"), (59.6, "+1"), (78.8, "+2"), (98.0, "+3"))


def test_the_strongest_that_are_tied_and_none_redundant_are_drawn_from_refusal_to_answer(full_audit):
    rows = forest(AuditResult.read(full_audit).findings).rows
    assert [row.says for row in rows] == [
        "open with “share”",
        "contain “can you tell”",
        "end without a question mark",
        "are built like “what is the …”",
        "open with “what”",
    ]
    assert len(forest([finding(n / 10 + 0.1, 0, 9) for n in range(30)]).rows) == 20
    assert forest([finding(0.1, -1, 1, direction="none")]) is None
    assert forest([]) is None


def test_the_headline_is_drawn_and_filled_up_with_what_tells_something_beyond_the_opener():
    more = {"log_odds": 1.0, "low": 0.5, "high": 1.5}
    less = {"log_odds": -1.0, "low": -1.5, "high": -0.5}
    nothing = {"log_odds": 0.1, "low": -0.5, "high": 0.7}
    found = forest(
        [
            finding(9, 8, 10, text="is an opener"),
            finding(8, 7, 9, text="adds nothing to the first word", given_opener=nothing),
            finding(7, 6, 8, text="tells more", given_opener=more),
            finding(6, 5, 7, text="repeats", given_opener=more, redundant_with={"feature": "w", "position": "opener"}),
            finding(5, 4, 6, text="turns round", given_opener=less),
            finding(4, 3, 5, text="is the headline", headline=True, given_opener=more),
            finding(3, -1, 7, text="is not tied", headline=True, direction="none"),
        ]
    )
    assert [row.says for row in found.rows] == ["tells more", "turns round", "is the headline"]


def test_the_headline_is_drawn_however_many_findings_are_stronger():
    more = {"log_odds": 1.0, "low": 0.5, "high": 1.5}
    strong = [finding(9 - n / 10, 1, 10, given_opener=more) for n in range(30)]
    rows = forest([*strong, finding(-0.5, -1, -0.2, text="is the headline", headline=True)]).rows
    assert len(rows) == 20
    assert rows[-1].says == "is the headline"
    assert rows[-2].finding.log_odds == pytest.approx(9 - 18 / 10)


def test_a_wide_axis_has_few_ticks_and_always_0():
    found = forest([finding(9, 5, 11), finding(-9, -11, -7)])
    assert [label for _, label in found.ticks] == ["−8", "−4", "0", "+4", "+8"]


def test_what_is_beyond_the_axis_stands_at_its_edge():
    found = forest([finding(1e300, -1e300, 1.7e308)])
    assert [(row.alone.low, row.alone.x, row.alone.high) for row in found.rows] == [(2.0, 98.0, 98.0)]
    assert len(found.ticks) < 8


def test_a_narrow_axis_still_has_a_width():
    found = forest([finding(1e-9, 1e-9, 1e-9)])
    assert [label for _, label in found.ticks] == ["−1", "0", "+1"]
