import json
import os
import re
import shutil
import time

import pytest
import yaml

from unmirage.errors import UserError
from unmirage.report.run_page import render_run_page
from unmirage.run import Run

SCRIPTS = 2  # the block of responses, which does not run, and what reads it
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@pytest.fixture(scope="session")
def html(run):
    return render_run_page(run)


@pytest.fixture
def edited(run, tmp_path):
    """Return a function that copies the run with changed results."""

    def edited(change, keep=("audit.json", "store.sqlite", "pictures")):
        folder = tmp_path / "copy"
        folder.mkdir()
        shutil.copy(run.config_file, folder)
        for name in keep:
            (shutil.copytree if (run.path / name).is_dir() else shutil.copy)(run.path / name, folder / name)
        document = json.loads(run.results_file.read_text())
        change(document)
        (folder / "results.json").write_text(json.dumps(document))
        return Run(folder)

    return edited


def test_the_page_is_closed_to_the_network_and_to_scripts_but_its_own(html, assert_inert, parse):
    page = parse(html)
    policies = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert len(policies) == 1
    assert policies[0].startswith(POLICY)
    rest = policies[0].removeprefix(POLICY)
    assert re.fullmatch(r"; script-src 'sha256-[\w+/=]+'; base-uri 'none'; form-action 'none'", rest)
    assert_inert(page, SCRIPTS)
    assert [one.get("type") for one in page.all("script")] == ["application/json", None]
    assert "url(" not in html
    assert "@import" not in html
    assert len(html) < 300_000


def test_numbers_are_where_they_belong(run, html, parse):
    page = parse(html)
    rates = json.loads(run.results_file.read_text())["models"]
    for name, title in (("sft-posthoc", "SFT post-hoc"), ("npo", "NPO")):
        own = re.search(rf'<tr><th scope="row">{title}.*?</tr>', html, re.DOTALL).group()
        asr = rates[name]["asr"]
        values = re.findall(r"<b>(.*?)</b>", own)
        assert values[:3] == [f"{100 * asr[key]['value']:.1f}" for key in ("before", "after", "control")]
        assert f"{asr['after']['k']}/{asr['after']['n']}" in own
        assert f"{asr['after']['k']} of {asr['after']['n']} with a verdict" in own
    invalid = rates["npo"]["ir"]["after"]["invalid"]
    assert invalid > 0
    least, most = (f"{100 * rates['npo']['ir']['after'][name]:.1f}" for name in ("least", "most"))
    assert f"bounds {least}–{most}, {invalid} missing" in page.text
    assert "SFT post-hoc looks safe" in page.text
    warning = page.text.index("so its rates under attack do not measure safety")
    assert "collapsed RMU answers" in page.text[:warning]
    assert warning < page.text.index("Rates before and after the attack")
    assert page.text.count("collapsed") >= 3
    assert "6 min 12 s" in page.text


def test_the_sections_come_in_order_with_one_chart_each(html, parse):
    titles = re.findall(r'<h2 id="(\w+)"', html)
    assert titles == [
        "rates", "tradeoff", "differences", "shots", "responses", "data", "judges", "examples", "browse", "reading",
        "settings",
    ]  # fmt: skip
    page = parse(html)
    charts = [one for one in page.all("svg") if one.get("role") == "img"]
    labelled = [one for one in charts if "aria-label" in one]  # ASR and RR of six models at the top
    assert len(labelled) == 2 * 6
    charts = [one for one in charts if one not in labelled]
    assert len(charts) == 1 + 6 + 6 + 1
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for chart in charts:
        assert set(chart["aria-labelledby"].split()) <= set(ids)
    assert {link["href"][1:] for link in page.all("a")} <= set(ids)


def test_tables_have_headers_and_scopes(html, parse):
    assert all(attributes.get("scope") in {"row", "col", "colgroup"} for attributes in parse(html).all("th"))
    assert html.count("<table") == html.count("<caption>")


def test_responses_and_pictures_are_hidden_until_asked_for(html, run, parse):
    for one in re.findall(r"<details class=\"more\".*?</details>", html, re.DOTALL):
        assert one.startswith('<details class="more"><summary>')
    outside = re.sub(r"<details class=\"more\".*?</details>", "", html, flags=re.DOTALL)
    outside = re.sub(r"<script type=\"application/json\".*?</script>", "", outside, flags=re.DOTALL)
    assert "amber, moss and tin" in html
    assert "amber, moss and tin" not in outside
    assert "<img" not in outside
    redacted = render_run_page(run, redact=True)
    assert "amber, moss and tin" not in redacted
    assert not parse(redacted).all("img")


def test_secrets_stay_out(html):
    assert "planted" not in html
    assert "hf_token" in html


def test_hostile_results_are_inert(edited, spoilt, hostile, assert_inert, parse):
    def spoil(document):
        for key in ("judge", "attack", "settings", "machine"):
            document[key] = spoilt(document[key])
        for key in ("models", "judges", "timings", "settings"):
            document[key] = {f"{name}{hostile}": item for name, item in document[key].items()}

    page = render_run_page(edited(spoil))
    assert_inert(parse(page))  # no model of these results is in the store, so there is nothing to browse
    assert "\x1b" not in page
    assert "\x00" not in page
    assert "{{ 7*7 }}" in page
    assert "<script>alert(1)" in parse(page).text


def test_hostile_responses_queries_and_pictures_are_inert(make_run, tmp_path, hostile, assert_inert, parse):
    run = make_run(tmp_path / hostile[:20].replace("/", "_"), size=16, text=hostile)
    with run.store() as store:
        store._db.execute("UPDATE queries SET text = ?, image = ?", (hostile, f"../{hostile}"))
        store._db.execute("UPDATE judgements SET why = ?", (hostile,))
        store._db.commit()
    page = render_run_page(run)
    assert_inert(parse(page), SCRIPTS)
    assert "&lt;script&gt;alert(1)" in page
    assert "\x1b" not in page
    assert "is missing or cannot be opened" in page


def test_a_hostile_audit_is_inert(full_audit, spoilt, assert_inert, edited, parse):
    run = edited(lambda _: None)
    (run.path / "audit.json").write_text(json.dumps(spoilt(full_audit)))
    page = parse(render_run_page(run))
    assert_inert(page, SCRIPTS)
    assert "toy.json</style></title></script><script>alert(1)" in page.text


def test_rates_that_are_not_estimable_are_said_to_be(edited, parse):
    nothing = {"value": None, "low": None, "high": None, "k": 0, "n": 0, "invalid": 7}

    def clear(document):
        asr = document["models"]["npo"]["asr"]
        lists = {"by_k": [nothing], "by_shot": [nothing], "control_by_k": [nothing], "by_kind": {"control": nothing}}
        document["models"]["npo"] = {
            key: {"before": nothing, "after": nothing} for key in ("rr", "ir", "refused_unsafe")
        } | {"utility": nothing, "asr": dict.fromkeys(asr, nothing) | lists}

    page = render_run_page(edited(clear))
    row = re.search(r'<tr><th scope="row">NPO.*?</tr>', page, re.DOTALL).group()
    assert row.count("<b>n/a</b>") == 10  # benign answered is not in older documents; no model has neighbor utility
    assert row.count("7 missing") == 8
    assert "collapsed" not in row
    assert "nan" not in parse(page).text.lower().split()


def test_the_footer_names_the_date_and_a_command_that_makes_the_page(run, parse):
    os.utime(run.results_file, (0, 1_700_000_000))
    text = parse(render_run_page(run, redact=True, reference="npo")).text
    assert "Results of run: 2023-11-14 22:13 UTC. Command: unmirage report run --reference npo --redact" in text


def test_columns_that_nobody_measured_are_left_out(html, edited):
    assert "neighbor utility" not in re.search(r'<table class="rates">.*?</table>', html, re.DOTALL).group()

    def no_benign(document):
        nothing = {"value": None, "low": None, "high": None, "k": 0, "n": 0}
        for model in document["models"].values():
            model["rr"] = model["benign_answered"] = {"before": nothing, "after": nothing}

    table = re.search(r'<table class="rates">.*?</table>', render_run_page(edited(no_benign)), re.DOTALL).group()
    assert "n/a" not in table
    assert "refusal rate, benign queries" not in table


def test_rates_that_clearly_rise_are_emphasized(html):
    row = re.search(r'<table class="rates">.*?<tr><th scope="row">(SFT post-hoc.*?)</tr>', html, re.DOTALL).group(1)
    cells = re.findall(r"<td.*?>", row)
    assert ["worse" in cell for cell in cells[:5]] == [False, True, False, False, True]


def test_several_seeds_show_their_range(make_run, tmp_path, parse):
    run = make_run(tmp_path / "run", seeds=(0, 1, 2), size=40)
    page = render_run_page(run)
    text = parse(page).text
    found = json.loads(run.results_file.read_text())
    values = [one["models"]["npo"]["utility"]["value"] for one in found["by_seed"]]
    assert f"[{100 * min(values):.1f}–{100 * max(values):.1f}]" in page
    assert "Seeds: 0, 1, 2." in text
    assert "pooled over 3 seeds" in text
    assert "All are from seed-0." in text


def test_without_audit_store_and_extras_there_is_still_a_page(edited, parse):
    def strip(document):
        for key in ("by_seed", "judges", "settings", "machine", "timings", "attack"):
            del document[key]

    text = parse(render_run_page(edited(strip, keep=()))).text
    assert "has no audit.json" in text
    assert "has no store.sqlite" in text
    assert "was not compared with another" in text


def test_a_broken_audit_or_missing_results_are_named(edited, tmp_path):
    run = edited(lambda _: None)
    (run.path / "audit.json").write_text("{}")
    with pytest.raises(UserError, match=r"audit\.json: schema is missing"):
        render_run_page(run)
    with pytest.raises(UserError, match=r"results\.json: no such file"):
        render_run_page(Run(tmp_path))


@pytest.mark.slow
def test_thousands_of_queries_leave_the_page_small(make_run, tmp_path):
    run = make_run(tmp_path / "run", size=500)
    start = time.perf_counter()
    page = render_run_page(run)
    assert time.perf_counter() - start < 20
    assert len(page) < 1_000_000  # 15,000 responses in the block, each text once


def test_an_absolute_image_folder_is_found(edited, run):
    copy = edited(lambda _: None, keep=("store.sqlite",))
    assert "<img" not in render_run_page(copy)
    copy.config_file.write_text(yaml.safe_dump({"images": str(run.path / "pictures")}))
    assert "<img" in render_run_page(copy)


@pytest.mark.parametrize("settings", [{}, {"color_scheme": "dark"}, {"width": 390}])
def test_a_browser_shows_the_page_without_a_complaint(html, show, settings):
    shown = show(html, **settings)
    assert shown.complaints == []
    assert len(shown.requests) == 1
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= settings.get("width", 1200)
    assert shown.page.pdf().startswith(b"%PDF")
