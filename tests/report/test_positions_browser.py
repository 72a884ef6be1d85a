"""Where the audit page's marks stand in a real browser, against the values that they show, at three widths."""

import pytest

from unmirage.audit import AuditResult
from unmirage.report.audit_page import render_audit_page
from unmirage.report.forest import forest

WIDTHS = (390, 768, 1280)
WITHIN = 1.0  # pixels
ROWS = """() => [...document.querySelectorAll('.forest tbody tr')].map(row => {
  const cell = row.querySelector('td svg').parentElement.getBoundingClientRect();
  const middle = one => { const box = one.getBoundingClientRect(); return box.left + box.width / 2; };
  const ends = one => { const box = one.getBoundingClientRect(); return [box.left, box.right]; };
  return {
    cell: [cell.left, cell.right],
    dots: [...row.querySelectorAll('td circle')].map(middle),
    ends: [...row.querySelectorAll('td line[class^=w-]')].map(ends),
  };
})"""
TICKS = """() => [...document.querySelectorAll('.forest thead svg text')].map(one => {
  const box = one.getBoundingClientRect();
  return [Number(one.textContent.replace('\u2212', '-')), box.left + box.width / 2];
})"""
BARS = """side => [...document.querySelectorAll(`figure rect.f-${side}`)].map(one => {
  const box = one.getBoundingClientRect();
  return [box.left, box.right];
})"""


def scale(ticks):
    """Return the function from a value to its place between the labels of the axis."""
    (low, left), (high, right) = ticks[0], ticks[-1]
    return lambda value: left + (value - low) * (right - left) / (high - low)


@pytest.mark.parametrize("width", WIDTHS)
def test_dots_and_whiskers_of_the_forest_stand_at_their_values(full_audit, show, width):
    page = show(render_audit_page(full_audit), width=width).page
    drawn, place = page.evaluate(ROWS), scale(page.evaluate(TICKS))
    shown = forest(AuditResult.read(full_audit).findings).rows
    assert len(drawn) == len(shown) > 3
    for row, one in zip(drawn, shown, strict=True):
        effects = [one.finding.tie] + ([one.finding.given_opener] if one.given else [])
        assert row["dots"] == pytest.approx([place(effect.log_odds) for effect in effects], abs=WITHIN)
        for ends, effect in zip(row["ends"], effects, strict=True):
            assert ends == pytest.approx([place(effect.low), place(effect.high)], abs=WITHIN)
        left, right = row["cell"]
        assert all(left <= dot <= right for dot in row["dots"])
        assert 0 <= left < right <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_bars_of_the_openers_chart_are_as_long_as_their_counts(full_audit, show, width):
    page = show(render_audit_page(full_audit), width=width).page
    openers = AuditResult.read(full_audit).openers
    refused, answered = page.evaluate(BARS, "refused"), page.evaluate(BARS, "answered")
    counts = [(one.refused, one.answered) for one in openers[: len(refused)]]
    assert len(refused) == len(answered) == len(counts) > 1
    most = max(max(pair) for pair in counts)
    longest = max(right - left for left, right in refused + answered)
    for (no, yes), (left, edge), (start, right) in zip(counts, refused, answered, strict=True):
        assert (edge - left, right - start) == pytest.approx((longest * no / most, longest * yes / most), abs=WITHIN)
        assert (edge, start) == pytest.approx((refused[0][1], answered[0][0]), abs=WITHIN)
        assert left >= 0
        assert right <= width
