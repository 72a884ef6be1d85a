"""The audit's page in a real browser: it filters, sorts and opens, and nothing from the data acts."""

import pytest

from unmirage.report.audit_page import render_audit_page

SHARE, ECHO, WHAT = "open with “share”", "contain “share”", "open with “what”"
NGRAM, SHAPE = "contain “can you tell”", "end without a question mark"
TEMPLATE, IMAGE = "are built like “what is the …”", "come with a picture whose border is red"
ALL = [SHARE, ECHO, WHAT, NGRAM, SHAPE, TEMPLATE, IMAGE]


@pytest.fixture
def shown(full_audit, show):
    return show(render_audit_page(full_audit))


def rows(page):
    """Return what the rows that can be seen say, from top to bottom."""
    return page.eval_on_selector_all(
        "#findings-table tbody tr", "all => all.filter(r => !r.hidden).map(r => r.querySelector('bdi').textContent)"
    )


def test_the_page_loads_nothing_and_complains_of_nothing(shown):
    assert shown.complaints == []
    assert [url.split("/")[-1] for url in shown.requests] == ["0.html"]
    assert rows(shown.page) == ALL


@pytest.mark.parametrize(
    ("field", "value", "left"),
    [
        ("text", "  SHARE ", [SHARE, ECHO]),
        ("text", "nothing holds this", []),
        ("direction", "answer", [WHAT, TEMPLATE]),
        ("direction", "none", [IMAGE]),
        ("kind", "ngram", [NGRAM]),
        ("kind", "shape", [SHAPE]),
        ("kind", "template", [TEMPLATE]),
        ("kind", "image", [IMAGE]),
        ("redundant", True, [one for one in ALL if one != ECHO]),
    ],
)
def test_filters(shown, field, value, left):
    control = shown.page.locator(f"[data-filter={field}]")
    if field == "text":
        control.fill(value)
    elif field == "redundant":
        control.set_checked(value)
    else:
        control.select_option(value)
    assert rows(shown.page) == left
    assert shown.page.locator("output").inner_text() == f"{len(left)} of 7 shown"


def test_nothing_is_said_of_missing_scripts_where_they_run(shown):
    assert not shown.page.get_by_text("Scripts are off").is_visible()


def test_filters_are_taken_together(shown):
    shown.page.get_by_label("Search").fill("share")
    shown.page.get_by_label("Hide redundant features").check()
    assert rows(shown.page) == [SHARE]
    shown.page.get_by_label("Search").fill("")
    assert len(rows(shown.page)) == 6


@pytest.mark.parametrize(
    ("column", "first", "order"),
    [
        ("Queries that …", "ascending", [TEMPLATE, IMAGE, NGRAM, ECHO, SHAPE, SHARE, WHAT]),
        ("Tied to", "ascending", [WHAT, TEMPLATE, IMAGE, SHARE, ECHO, NGRAM, SHAPE]),
        ("Refused", "descending", [SHAPE, ECHO, SHARE, NGRAM, WHAT, IMAGE, TEMPLATE]),
        ("Answered", "descending", [WHAT, SHAPE, TEMPLATE, IMAGE, NGRAM, ECHO, SHARE]),
        ("Log odds", "descending", [SHARE, ECHO, NGRAM, SHAPE, IMAGE, TEMPLATE, WHAT]),
        ("95 % interval", "descending", [ECHO, SHARE, NGRAM, SHAPE, IMAGE, TEMPLATE, WHAT]),
        ("q value", "descending", [IMAGE, SHAPE, NGRAM, TEMPLATE, ECHO, SHARE, WHAT]),
    ],
)
def test_every_column_sorts_both_ways(shown, column, first, order):
    header = shown.page.locator("#findings-table th", has=shown.page.get_by_role("button", name=column))
    header.get_by_role("button").click()
    assert (header.get_attribute("aria-sort"), rows(shown.page)) == (first, order)
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == ("descending" if first == "ascending" else "ascending")
    assert rows(shown.page)[0] != order[0]
    others = shown.page.locator("#findings-table th[aria-sort=none]")
    assert others.count() == 7


def test_what_has_no_value_stands_last_both_ways(shown):
    button = shown.page.get_by_role("button", name="Given the opener")
    button.click()
    assert rows(shown.page) == [NGRAM, ECHO, TEMPLATE, SHAPE, SHARE, WHAT, IMAGE]
    button.click()
    assert rows(shown.page) == [SHAPE, TEMPLATE, ECHO, NGRAM, SHARE, WHAT, IMAGE]


def test_sorting_works_from_the_keyboard_and_keeps_the_filter(shown):
    shown.page.get_by_label("Tied to").select_option("refusal")
    shown.page.get_by_role("button", name="Refused").focus()
    shown.page.keyboard.press("Enter")
    assert rows(shown.page) == [SHAPE, ECHO, SHARE, NGRAM]


def test_a_row_opens_across_the_table(shown):
    query = shown.page.get_by_text("What colour is the lamp?")
    assert not query.is_visible()
    shown.page.locator("summary", has_text=WHAT).click()
    assert query.is_visible()
    first_column = shown.page.locator("#findings-table tbody th").first.bounding_box()["width"]
    assert shown.page.locator("details[open] .shown").bounding_box()["width"] > 1.5 * first_column


@pytest.mark.parametrize("settings", [{"color_scheme": "dark"}, {"width": 390}, {"width": 390, "color_scheme": "dark"}])
def test_dark_and_on_a_phone(full_audit, show, settings):
    page = show(render_audit_page(full_audit), **settings).page
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= settings.get("width", 1200)
    light, dark = "rgb(251, 251, 249)", "rgb(18, 21, 26)"
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == (dark if settings.get("color_scheme") == "dark" else light)


def test_it_prints(shown):
    assert shown.page.pdf().startswith(b"%PDF")
    shown.page.emulate_media(media="print")
    assert not shown.page.locator(".filters").is_visible()


def test_without_scripts_all_of_it_can_be_read(full_audit, show):
    page = show(render_audit_page(full_audit), java_script_enabled=False).page
    assert page.locator("#findings-table tbody tr").count() == 7
    assert not page.locator(".filters").is_visible()
    assert page.get_by_text("Scripts are off").is_visible()
    assert page.locator("#findings-table button").count() == 0


def test_what_is_injected_does_not_act(full_audit, spoilt, show):
    html = render_audit_page(spoilt(full_audit)).replace("{% raw %}", "<script>document.title = 'acted'</script>")
    shown = show(html)
    assert shown.page.title() != "acted"
    assert "dialog" not in shown.complaints
    assert any("Content Security Policy" in one for one in shown.complaints)  # of the script put in by this test
    assert len(shown.requests) == 1
    assert len(rows(shown.page)) == 7
