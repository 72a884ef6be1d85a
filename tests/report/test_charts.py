from dataclasses import replace

import pytest

from unmirage.audit.result import OpenerCount
from unmirage.documents import parsed
from unmirage.evaluate.details import ModelResults
from unmirage.evaluate.outcomes import BeforeAfter
from unmirage.intervals import rate
from unmirage.report.charts import by_k_panel, decomposition, opener_chart


def model(**changes):
    rates = {
        "before": (3, 100),
        "after": (71, 100),
        "per_shot": (150, 300),
        "control": (4, 100),
        "by_k": [(40, 100), (60, 100), (71, 100)],
        "control_by_k": [(2, 100), (3, 100), (4, 100)],
    } | changes

    def one(counts):
        found = rate(*counts)
        return {key: getattr(found, key) for key in ("value", "low", "high", "k", "n", "invalid")}

    pair = {"before": one((20, 100)), "after": one((60, 300))}
    asr = {key: one(rates[key]) for key in ("before", "after", "per_shot", "control")}
    asr |= {key: [one(counts) for counts in rates[key]] for key in ("by_k", "control_by_k")}
    refused = {"before": one((77, 100)), "after": one((90, 300))}
    return parsed(
        ModelResults, {"asr": asr, "rr": pair, "ir": pair, "refused_unsafe": refused, "utility": one((9, 10))}
    )


def test_opener_bars_keep_their_proportion_and_stay_inside():
    counts = [("can", 862, 103), ("what", 61, 869)] + [(f"w{n}", 1, 0) for n in range(12)]
    chart = opener_chart([OpenerCount(opener=w, refused=r, answered=a) for w, r, a in counts])
    assert (len(chart.bars), chart.rest) == (12, 2)
    can, what = chart.bars[:2]
    assert can.refused_width / what.answered_width == pytest.approx(862 / 869, rel=1e-3)
    assert can.left + can.refused_width == pytest.approx(chart.refused_end, abs=0.02)
    assert all(bar.left > 0 and chart.answered_start + bar.answered_width < 100 for bar in chart.bars)
    assert opener_chart([]).bars == ()


def test_stacked_bars_fill_the_width_in_the_order_of_the_legend():
    for stack in decomposition(model()):
        assert [part.verdict for part in stack.segments] == ["complied", "irrelevant", "refused"]
        assert sum(part.width for part in stack.segments) == pytest.approx(83, abs=0.05)
        assert stack.segments[-1].x + stack.segments[-1].width == pytest.approx(100, abs=0.05)
    before, after = decomposition(model())
    assert [part.inside for part in before.segments] == ["", "20\u00a0%", "77\u00a0%"]
    assert after.segments[0].share == "50\u00a0%"


def test_a_bar_of_nothing_is_empty():
    found = model(before=(0, 0))
    nothing = replace(found.ir.before, value=None)
    ir, refused = (replace(one, before=nothing) for one in (found.ir, found.refused_unsafe))
    empty = replace(found, ir=ir, refused_unsafe=refused)
    assert decomposition(empty)[0].segments == ()


def test_the_curve_rises_where_the_rate_does():
    panel = by_k_panel(model())
    heights = [mark.y for mark in panel.shots]
    assert heights == sorted(heights, reverse=True)
    assert panel.plain_x < panel.shots[0].x < panel.shots[-1].x < panel.control_x
    assert all(mark.high < mark.y < mark.low for mark in panel.shots)
    assert "any of 3 shots 71" in panel.said
    assert [k for _, k in panel.ticks] == [1, 2, 3]


def test_many_shots_have_few_ticks_and_none_have_none():
    assert len(by_k_panel(model(by_k=[(k, 64) for k in range(1, 65)])).ticks) <= 8
    panel = by_k_panel(model(by_k=[], control=(0, 0), before=(0, 0)))
    assert (panel.plain, panel.shots, panel.control, panel.ticks) == (None, (), None, ())


def test_the_control_has_a_line_of_its_own_beside_the_attacks():
    panel = by_k_panel(model())
    assert [mark.label for mark in panel.controls] == ["2\u00a0%", "3\u00a0%", "4\u00a0%"]
    for attack, control in zip(panel.shots, panel.controls, strict=True):
        assert 0 < control.x - attack.x < 10
        assert control.y > attack.y
        assert control.high < control.y < control.low
    assert len(panel.control_line.split()) == 3
    assert len(panel.control_band.split()) == 6
    assert "control, any of 2 shots 3" in panel.said
    assert not panel.dense
    assert by_k_panel(model(by_k=[(k, 64) for k in range(1, 65)])).dense


def test_an_older_document_has_the_control_as_one_mark():
    panel = by_k_panel(model(control_by_k=[]))
    assert (panel.controls, panel.control_line, panel.control_band) == ((), "", "")
    assert panel.control is not None


def test_a_stack_has_a_segment_for_blocked_queries():
    blocked = BeforeAfter(before=rate(10, 100), after=rate(0, 300))
    plain, attacked = decomposition(replace(model(), blocked=blocked))
    assert [(one.verdict, one.share) for one in plain.segments][-1] == ("blocked", "10\u00a0%")
    assert plain.segments[-1].x == pytest.approx(plain.segments[-2].x + plain.segments[-2].width, abs=0.02)
    assert plain.segments[-1].width == pytest.approx(8.3)  # of 83
    assert "blocked" not in [one.verdict for one in attacked.segments]
