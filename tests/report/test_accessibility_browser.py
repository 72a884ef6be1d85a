"""axe-core finds no violation of WCAG 2.1 A and AA in any page, light and dark, wide and narrow.

tests/report/vendor/axe.min.js is axe-core 4.10.3 from npm (MPL-2.0, axe-LICENSE.txt), unchanged; only tests use it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

import pytest

from unmirage.report.audit_page import render_audit_page
from unmirage.report.live import Progress, State
from unmirage.report.live_page import live_page
from unmirage.report.run_page import render_comparison_page, render_run_page

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
RULES = "{runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}, resultTypes: ['violations']}"
PAGES = ("run", "comparison", "audit", "live")


@pytest.fixture(scope="module")
def pages(make_run, run, audit_document, tmp_path_factory):
    other = make_run(tmp_path_factory.mktemp("other") / "other", size=6)
    state = State("run", (Progress("base", 3, 1, 8),), None, False, False, datetime(2026, 1, 2, 3, 4, 5))
    return {
        "run": render_run_page(run),
        "comparison": render_comparison_page([run, other]),
        "audit": render_audit_page(audit_document),
        "live": live_page([state], still=True),  # the page that reloads itself has a link to this one
    }


def test_the_vendored_file_is_the_published_one():
    digest = hashlib.sha256(AXE.read_bytes()).hexdigest()
    assert digest == "880970c081707360e64f34cea25ff91892f5bc95675b0776925b9709dd8a68bb"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_no_violation(pages, show, name, width, scheme):
    shown = show(pages[name], width, color_scheme=scheme, bypass_csp=True)
    for one in shown.page.locator("details").all()[:20]:
        one.evaluate("one => { one.open = true; }")
    shown.page.evaluate(AXE.read_text("utf-8"))
    found = shown.page.evaluate(f"axe.run(document, {RULES})")
    told = [
        (one["id"], node["target"], node.get("failureSummary", "")[:200])
        for one in found["violations"]
        for node in one["nodes"][:3]
    ]
    assert not told
