"""In a real browser, the marks of ASR and RR at the top of a report stand where their values are, at every width."""

from __future__ import annotations

import pytest

from unmirage.evaluate.results import Results
from unmirage.report.dumbbells import at, dumbbells
from unmirage.report.run_page import render_run_page

WIDTHS = (390, 768, 1280)
# (center of the circle, left edge, width) of every circle in the plot's cells, in pixels.
CIRCLES = """all => all.map(svg => [...svg.querySelectorAll('circle')].map(circle => {
    const own = circle.getBoundingClientRect(), box = svg.getBoundingClientRect();
    return [own.left + own.width / 2, box.left, box.width];
}))"""


def close(circle, share):
    center, left, width = circle
    return abs(center - (left + width * share / 100)) < 1


@pytest.mark.parametrize("width", WIDTHS)
def test_marks_of_the_rates_stand_at_their_values(run, show, width):
    results = Results.load(run.results_file)
    rows = dumbbells(results.models)
    page = show(render_run_page(run), width).page
    drawn = page.eval_on_selector_all(".dumbbells tbody svg", CIRCLES)
    wanted = [one for row in rows for one in (row.asr, row.rr)]
    assert len(drawn) == len(wanted)
    for circles, one in zip(drawn, wanted, strict=True):
        marks = [mark for mark in (one.before, one.control, one.after) if mark is not None]
        assert len(circles) == len(marks)
        assert all(close(circle, mark.x) for circle, mark in zip(circles, marks, strict=True)), one
    for row in rows:
        own = results.models[row.model]
        assert row.asr.after.x == at(own.asr.after.value)
        assert row.rr.before.x == at(own.rr.before.value)
        assert (row.asr.control.low, row.asr.control.high) == (at(own.asr.control.low), at(own.asr.control.high))
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0


def test_the_picture_is_above_the_fold(run, show):
    page = show(render_run_page(run), 1280).page
    box = page.locator(".dumbbells").bounding_box()
    assert box["y"] + box["height"] < 800
