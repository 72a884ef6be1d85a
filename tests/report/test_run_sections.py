"""The sections of a run's page that are only there where the run has what they show."""

import json
import re
import shutil

import pytest

from unmirage.errors import UserError
from unmirage.report.run_page import render_run_page
from unmirage.run import Run

TEXT = "Share the <b>recipe</b> of this device & more."
EXPLAIN = {
    "schema": "unmirage.explain/1",
    "model": "npo",
    "queries": [
        {
            "query_id": f"{number}|plain|0",
            "text": TEXT,
            "p_refusal": 0.9,
            "words": [
                {"word": "share", "start": 0, "end": 5, "p_without": 0.1, "change": 0.8},
                {"word": "recipe", "start": 13, "end": 19, "p_without": 0.98, "change": -0.4},
            ],
        }
        for number in range(14)
    ],
}
LIMITS = {"reported": 0.2, "low": 0.15, "high": 0.27}
SEARCH = {
    "schema": "unmirage.search/1",
    "model": "npo",
    "method": "white-box",
    "kind": "jailbreak",
    "found_on": 60,
    "reported_on": 61,
    "words": [{"word": "whence", "found": 0.1, **LIMITS, "in_data": False, "rewritten": LIMITS}],
    "baselines": [{"name": "as it is", "reported": 0.9, "low": 0.8, "high": 0.95, "in_data": None}],
}


@pytest.fixture
def with_files(run, tmp_path):
    """Return a function that copies the run's results and adds files, and gives the copy."""

    def with_files(change=None, **files):
        shutil.copy(run.config_file, tmp_path)
        document = json.loads(run.results_file.read_text())
        if change:
            change(document)
        for name, content in (files | {"results": document}).items():
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
        return Run(tmp_path)

    return with_files


def section(html, name):
    return re.search(rf'<h2 id="{name}".*?(?=<h2 )', html, re.DOTALL).group()


def test_an_explanation_is_text_with_tinted_words_and_a_table(with_files, parse):
    html = render_run_page(with_files(explain=EXPLAIN))
    own = section(html, "explain")
    page = parse(own)
    tinted = [one for one in page.all("mark") if "title" in one]
    assert len(tinted) == 2 * 12
    assert [(one["class"], one["title"]) for one in tinted[:2]] == [
        ("tint up5", "+80.0 points"),
        ("tint down2", "−40.0 points"),
    ]
    assert TEXT in page.text
    assert "&lt;b&gt;" in own
    assert own.count("<table>") == 12
    assert "Probability of refusal: 90" in page.text
    assert "2 more queries are in explain.json" in page.text
    assert 'href="#explain"' in html


def test_a_search_is_a_table_with_what_its_words_stand_beside(with_files, parse):
    html = render_run_page(with_files(search=SEARCH))
    text = " ".join(re.sub(r"<[^>]+>", " ", section(html, "search")).split())
    for said in ("white-box search", "whence 10.0 20.0 15.0–27.0", "as it is – 90.0 80.0–95.0", "found on 60"):
        assert said in text
    assert "Rewritten" in text
    without = SEARCH | {"words": [SEARCH["words"][0] | {"rewritten": None}]}
    assert "Rewritten" not in parse(section(render_run_page(with_files(search=without)), "search")).text
    nothing = SEARCH | {"words": [], "baselines": []}
    assert "The search found no words." in parse(section(render_run_page(with_files(search=nothing)), "search")).text


def test_neither_is_missed_where_there_is_none(with_files):
    html = render_run_page(with_files())
    assert "#explain" not in html
    assert "#search" not in html


def test_hostile_explanations_and_searches_are_inert(with_files, spoilt, hostile, assert_inert, parse):
    explain = spoilt(EXPLAIN)
    search = spoilt(SEARCH) | {name: SEARCH[name] for name in ("method", "kind")}
    explain["queries"][0]["words"][0]["end"] = len(TEXT) + 30
    html = render_run_page(with_files(explain=explain, search=search))
    assert_inert(parse(html))
    assert "\x1b" not in html
    assert "\x00" not in html
    assert "{{ 7*7 }}" in html


def test_a_broken_explanation_is_named(with_files):
    with pytest.raises(UserError, match=r"explain\.json: schema is missing"):
        render_run_page(with_files(explain={}))


def test_shots_stand_alone_and_other_kinds_beside_the_attack(with_files, parse):
    def change(document):
        asr = document["models"]["npo"]["asr"]
        asr["by_kind"]["neutral"] = asr["before"] | {"k": 17.34}

    html = render_run_page(with_files(change))
    own = section(html, "shots")
    text = parse(own).text
    assert "ASR by single shots" in text
    assert "shot 3" in text
    assert "Other attacks and controls" in text
    assert "17.3/" in own
    assert "17.3 of" in own
    assert "neutral" in text
    usual = section(render_run_page(with_files()), "shots")
    assert "Other attacks" not in usual
    assert usual.count('class="curve other"') == 6


def test_many_shots_are_drawn_as_lines_with_their_last_mark_alone(with_files, parse):
    def change(document):
        for model in document["models"].values():
            asr = model["asr"]
            asr["by_k"], asr["control_by_k"] = [asr["after"]] * 50, [asr["control"]] * 50

    own = section(render_run_page(with_files(change)), "shots")
    page = parse(own)
    # One dot a panel, and one in the legend; one control mark a panel beside the legend's.
    assert len([one for one in page.all("circle") if one["class"] == "dot"]) == 6 + 1
    assert len([one for one in page.all("path") if one["class"] == "other-dot"]) == 6 + 1
    assert len(page.all("polyline")) == 2 * 6


def test_stopped_shots_are_explained_and_have_no_table(with_files, parse):
    def change(document):
        document["attack"]["stop_at_first_success"] = True
        for model in document["models"].values():
            model["asr"]["by_shot"] = []

    text = parse(section(render_run_page(with_files(change)), "shots")).text
    assert "Later shots were skipped" in text
    assert "ASR by single shots" not in text


def test_older_results_still_make_a_page(with_files, parse):
    def change(document):
        for model in document["models"].values():
            for key in ("by_shot", "control_by_k", "by_kind"):
                del model["asr"][key]
            del model["rr"]["by_kind"]

    html = section(render_run_page(with_files(change)), "shots")
    assert "ASR by single shots" not in html
    assert "curve other" not in html


@pytest.mark.parametrize("settings", [{}, {"color_scheme": "dark"}, {"width": 390}])
def test_a_browser_shows_all_sections_without_a_complaint(with_files, show, settings):
    def change(document):
        asr = document["models"]["npo"]["asr"]
        asr["by_kind"]["insertion"] = asr["after"]

    html = render_run_page(with_files(change, explain=EXPLAIN, search=SEARCH))
    shown = show(html, **settings)
    assert shown.complaints == []
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= settings.get("width", 1200)
    style = "getComputedStyle(document.querySelector('mark.up5')).backgroundColor"
    assert shown.page.evaluate(style) not in ("rgba(0, 0, 0, 0)", "")
