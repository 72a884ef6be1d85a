import base64
import hashlib
import re
import time

import pytest

from unmirage.report.audit_page import render_audit_page
from unmirage.report.run_page import render_run_page
from unmirage.run import Run

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
CLOSED = "base-uri 'none'; form-action 'none'"
OLD = {
    "schema": "unmirage.audit/3", "n": 4, "refused": 2, "label_source": "field", "shortcut_gap": None,
    "predictability": {"majority": {"train": None, "test": None, "baseline": None}},
    "findings": [], "suggested": {"jailbreak": [], "over_prudence": []},
}  # fmt: skip


@pytest.fixture
def page(full_audit):
    return render_audit_page(full_audit)


def policy(page, parse):
    (found,) = [meta["content"] for meta in parse(page).all("meta") if "http-equiv" in meta]
    return found


def test_the_policy_allows_the_one_script_by_its_hash_and_nothing_else(page, parse):
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy(page, parse) == f"{POLICY}script-src 'sha256-{digest}'; {CLOSED}"
    assert not re.search(r"eval|innerHTML|insertAdjacent|document\.write|fetch|XMLHttp|import", script)
    assert script.count("\n") < 120


def test_a_page_with_nothing_to_sort_has_no_script(run, tmp_path, assert_inert, parse):
    # A run without responses to browse.
    (tmp_path / "results.json").write_bytes(run.results_file.read_bytes())
    (tmp_path / "config.yaml").write_bytes(run.config_file.read_bytes())
    for html in (render_audit_page(OLD), render_run_page(Run(tmp_path))):
        assert policy(html, parse) == POLICY + CLOSED
        assert_inert(parse(html))


def test_the_sections_come_in_order(page):
    assert re.findall(r'<h2 id="(\w+)"', page) == [
        "meaning", "openers", "ladder", "forest", "decided", "labels", "pictures", "words", "remedies", "compare",
        "todo", "findings", "reading",
    ]  # fmt: skip


def test_links_labels_captions_and_scopes_are_whole(page, parse):
    found = parse(page)
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in found.all("a")} <= set(ids)
    assert all(th.get("scope") in {"row", "col", "rowgroup"} for th in found.all("th"))
    assert page.count("<table") == page.count("<caption>")
    assert page.count("<summary>") == page.count("<details")


def test_the_page_says_what_the_document_says(page, parse):
    text = parse(page).text.replace("\u00a0", " ")
    for said in (
        "toy.json (vlguard): 1,000 queries, 600 refused and 400 answered",
        "2 rows could not be read and are not included",
        "Result: clear shortcut",
        "The shortcut gap is 30.0 points",
        "Unseen: 1,000 queries, cross-validated with 5 folds",
        "no images were found",
        "5 % of the queries are decided by their first word alone (50 of 1,000; 95 % interval 4.0 to 6.0 %)",
        "Label field and answer disagree in 16 of",
        "3 images occur with both refused and answered queries",
        "31.0 29.0–33.0 186/600".replace(" ", ""),
        "Tied only in toy.json: 112",
        "And 111 more; the audit’s JSON lists the strongest 1.",
        "No other wording–07",
        "Only a random sample of the images was opened. in the data50 opened40 read0 missing39 unreadable1",
        "9,123 features were tested: all that occur in at least 3 queries",
        "12 weaker findings are not listed",
        "redundant with opener “share”",
    ):
        assert said in text, said
    for option in ("--write-balanced", "--write-diversified", "--compare", "--fail-if"):
        assert option in text


def test_a_row_has_its_counts_its_strength_and_what_is_left_given_the_opener(page, parse):
    row = re.search(r'<tr data-direction="refusal" data-kind="ngram">.*?</tr>', page, re.DOTALL).group()
    assert re.findall(r'data-value="(.*?)"', row) == ["90", "12", "1.8", "1.2", "0.9", "0.0004"]
    assert "+0.90<small>+0.10 to +1.70</small>" in row
    assert parse(row).text.startswith("contain “can you tell” Examples of refused queries Can you tell me the code?")


def test_queries_and_answers_stay_behind_the_fold(page, full_audit):
    outside = re.sub(r"<details.*?</details>", "", page, flags=re.DOTALL)
    for text in ("Share the code of this door.", "Can I see the hidden shelf?", "Under amber, moss and tin."):
        assert text in page
        assert text not in outside
    redacted = render_audit_page(full_audit, redact=True)
    assert "Under amber, moss and tin." not in redacted
    assert "Where is the key kept?" in redacted


def test_words_from_data_stand_apart_from_their_surroundings(full_audit, parse):
    full_audit["findings"][0]["text"] = full_audit["openers"][0]["opener"] = "שלום\u202e"
    page = render_audit_page(full_audit)
    assert page.count("<bdi>שלום</bdi>") == 2  # in the forest and in the table; the chart's text stands alone
    assert "\u202e" not in page


def test_a_hostile_document_is_inert(full_audit, spoilt, hostile, assert_inert, parse):
    bad = spoilt(full_audit)
    for key in ("predictability", "remedies"):
        bad[key] = {f"{name}{hostile}": item for name, item in bad[key].items()}
    html = render_audit_page(bad)
    found = parse(html)
    assert_inert(found, scripts=1)
    assert "\x1b" not in html
    assert "\x00" not in html
    assert "<script>alert(1)" in found.text
    assert html.count("{{ 7*7 }}") > 10


@pytest.mark.parametrize("text", ["$x^{$", "\ud800", "\x1b]8;;http://x\x07", "a\x00b", "x" * 1_000_000, "\u202eabc"])
def test_strange_text_does_not_break_the_page(full_audit, spoilt, assert_inert, parse, text):
    start = time.perf_counter()
    html = render_audit_page(spoilt(full_audit, text))
    assert time.perf_counter() - start < 5
    html.encode("utf-8")
    assert_inert(parse(html), scripts=1)
    assert len(html) < 200_000
    assert not set(html) & set("\x00\x07\x1b\u202e")


def test_an_old_document_still_has_a_page(audit_document, parse):
    text = parse(render_audit_page(OLD)).text
    assert "This data does not allow an estimate" in text
    assert text.count("none found") == 2
    assert "No word is frequent enough" in text
    kept = ("schema", "n", "refused", "label_source", "predictability", "shortcut_gap", "suggested", "openers")
    first = {key: audit_document[key] for key in kept}
    first["findings"] = [
        {key: one[key] for key in ("feature", "position", "refused", "answered", "q_value")}
        | {"log_odds": 2.0, "low": 1.0, "high": 3.0, "direction": "refusal"}
        for one in audit_document["findings"]
    ]
    html = render_audit_page(first)
    assert html.count("<tr data-direction=") == len(first["findings"])
    assert "open with “can”" in html


def test_many_findings_are_listed_up_to_500(full_audit, parse):
    many = full_audit | {"findings": full_audit["findings"] * 100}
    html = render_audit_page(many)
    assert html.count("<tr data-direction=") == 500
    assert "212 weaker findings are not listed" in parse(html).text
    assert len(html) < 1_000_000


def test_pictures_that_were_all_looked_at_are_counted_once(full_audit, parse):
    for looked_at in (50, None):
        text = parse(
            render_audit_page(full_audit | {"pictures": full_audit["pictures"] | {"looked_at": looked_at}})
        ).text
        assert "in the data50 read0 missing39" in text
        assert "random sample" not in text


def test_a_comparison_without_totals_counts_what_it_lists(full_audit, parse):
    del full_audit["compare"]["gone_n"]
    text = parse(render_audit_page(full_audit)).text
    assert "Tied only in toy.json: 1 open with" in text.replace("“", "").replace("”", "")
    assert "more; the JSON" not in text


def test_a_long_list_says_where_the_rest_of_it_is(full_audit, parse):
    full_audit["compare"] |= {"gone": full_audit["compare"]["gone"] * 12, "gone_n": 12}
    assert "And 2 more, listed in the audit’s JSON." in parse(render_audit_page(full_audit)).text


def test_labels_that_agree_or_cannot_be_compared(full_audit, parse):
    agree = {"both": 5, "disagree": 0}
    assert "answer agree in all" in parse(render_audit_page(full_audit | {"label_quality": agree})).text
    none = {"both": 0, "disagree": 0}
    assert "No row has both" in parse(render_audit_page(full_audit | {"label_quality": none})).text


def test_both_pages_share_one_stylesheet(run, page):
    sheets = [re.search(r"<style>(.*?)</style>", html, re.DOTALL).group(1) for html in (render_run_page(run), page)]
    assert sheets[0] == sheets[1]
    assert "url(" not in page
    assert "@import" not in page
