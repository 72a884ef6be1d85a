"""Which rewrites fit the word, and how a report reads."""

import pytest

from unmirage.attack.rewriters.base import RewriteReport, Wanted, fits


@pytest.mark.parametrize(
    ("word", "text", "expected"),
    [
        ("what", "What is this?", True),
        ("What", "what's this?", True),
        ("what", '"What" is it', True),
        ("what", "Whatever is this?", False),
        ("what", "Tell me what this is.", False),
        ("what", "", False),
        ("what are", "What are the steps?", True),
        ("what are", "What is the step?", False),
        ("what are", "What", False),
        ("?!", "What", False),
    ],
)
def test_opening_with_a_word_or_several(word, text, expected):
    assert fits(text, Wanted("Tell me.", word, 1, "open")) is expected


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("Tell me how.", "Explain how.", True),
        ("Tell me how.", "What is the way?", False),
        ("Tell me how.", "Explain what to do.", False),
        ("Say what it is.", "Tell me what it is.", True),
        ("Say what it is.", "What is it?", False),
        ("Tell me how.", "", False),
    ],
)
def test_avoiding_a_word_that_the_query_can_do_without(query, text, expected):
    assert fits(text, Wanted(query, "what", 1, "avoid")) is expected


def test_a_report_says_what_was_dropped_and_why():
    report = RewriteReport(rewriter="m", asked=30, kept=28, dropped_meaning=4, dropped_opener=1)
    assert report.summary() == (
        "28 of 30 rewrites by m; dropped 5 (4 changed the meaning, 1 violated the word constraint)"
    )
    more = report.plus(from_rules=3, from_cache=9, failed=2, dropped_repeats=1, kept=1)
    assert more.summary() == (
        "29 of 30 rewrites by m; dropped 6 (4 changed the meaning, 1 violated the word constraint, 1 were duplicates); "
        "3 made by rules instead; 9 from the cache; requests failed for 2 queries"
    )
    assert (more.missing, more.to_json()["missing"], more.to_json()["kept"]) == (1, 1, 29)
    assert RewriteReport(rewriter="rules", asked=3, kept=3).summary() == "3 of 3 rewrites by rules"
