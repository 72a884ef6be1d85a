"""Clusters, design effects, warnings, benign answered and parts of utility, as pages show them."""

import json
import re

import pytest

from unmirage.evaluate.results import Results
from unmirage.records import Rate
from unmirage.report.run_page import render_comparison_page, render_run_page
from unmirage.report.table import cell, clustered, groups, rate_name
from unmirage.run import Run
from unmirage.text.formatting import clustering, largest_effect, utility_columns


def test_by_what_intervals_are_clustered():
    assert clustering(["group"], [40, None, 12, 0]) == "clustered by group: 12 to 40 groups"
    assert clustering(["picture"], [1, 1]) == "clustered by picture: 1 picture"
    assert clustering(["record", "picture"], [7]) == "clustered by picture or record: 7 clusters"
    assert clustering(["group"], [None, 0]) == clustering([], [3]) == ""


def test_the_largest_design_effect_is_told_where_it_is_above_one():
    assert largest_effect([1.0, None, 12.84, 0.3]) == "design effect up to 12.8"
    assert largest_effect([1.05]) == "design effect up to 1.1"
    assert largest_effect([1.04, None]) == largest_effect([]) == ""


@pytest.mark.parametrize(("names", "columns"), [("", ""), ("a", ""), ("ab", "ab"), ("abc", "abc"), ("abcd", "")])
def test_two_or_three_categories_are_columns(names, columns):
    assert utility_columns(list(names)) == tuple(columns)


def test_a_cell_tells_its_clusters_where_they_are_not_its_trials():
    rate = {"value": 0.5, "low": 0.2, "high": 0.8, "k": 30, "n": 60}
    grouped = cell(Rate(**rate, clusters=12, design_effect=4.04))
    assert grouped.effect == "deff 4.0"
    assert grouped.title == "30 of 60 with a verdict; 12 clusters, design effect 4.0"
    alone = cell(Rate(**rate, clusters=1))
    assert (alone.effect, alone.title) == ("", "30 of 60 with a verdict; 1 cluster")
    for one in (cell(Rate(**rate, clusters=60, design_effect=1.0)), cell(Rate(**rate))):
        assert (one.effect, one.title) == ("", "30 of 60 with a verdict")


def test_the_table_has_benign_answered_and_the_parts_of_utility(run, make_rate):
    document = json.loads(run.results_file.read_text())
    names = [name for name, _, _ in groups(Results.read(document))]
    assert names == ["ASR", "RR", "Answered", "IR", "Utility"]
    document["models"]["npo"]["utility_by_category"] = {"facts": make_rate(31), "skills": make_rate(97)}
    read = Results.read(document, "results.json")
    *_, (_, _, columns) = groups(read)
    assert [name for name, _ in columns] == ["facts", "skills"]  # no model has neighbor utility
    assert [pick(read.models["npo"]).k for _, pick in columns[:2]] == [31, 97]
    assert [pick(read.models["base"]).value for _, pick in columns[:2]] == [None, None]
    assert rate_name("utility_by_category.facts") == "Utility, facts"


def test_the_page_says_by_what_intervals_are_clustered_and_what_limits_them(run, make_run, parse, tmp_path):
    read = Results.read(json.loads(run.results_file.read_text()), "results.json")
    effects = [
        one.design_effect
        for model in read.models.values()
        for pair in (model.asr, model.rr, model.benign_answered, model.ir)
        for one in (pair.before, pair.after, model.asr.control)
    ]
    assert clustered([read]) == f"clustered by group: 20 groups, design effect up to {max(filter(None, effects)):.1f}"
    text = parse(render_run_page(run)).text
    assert f"counts below; intervals are {clustered([read])}." in text
    assert f"deff {max(filter(None, effects)):.1f}" in text
    missing = sum(model.invalid for model in read.models.values())
    assert read.warnings == (
        f"verdicts are missing on {missing} queries: intervals, paired tests and corrected rates assume that they are "
        "missing at random; the bounds (least, most) hold for any verdicts",
    )
    assert text.count("Warning:") == 1
    assert f"Warning: {read.warnings[0]}." in text
    small = make_run(tmp_path / "small", size=24)
    warning, *_ = json.loads(small.results_file.read_text())["warnings"]
    assert warning.startswith("fewer than 12 independent clusters (group): 4 for asr.before, asr.after, asr.control, ")
    assert f"Warning: {warning}." in parse(render_run_page(small)).text
    assert f"Warning: small: {warning}." in parse(render_comparison_page([run, small])).text


def test_the_page_says_that_answered_means_not_refused(run, parse, tmp_path):
    said = "detects no irrelevant responses except degenerate ones, so its “answered” means “not refused”"
    assert said not in parse(render_run_page(run)).text
    document = json.loads(run.results_file.read_text()) | {"judge": "phrases"}
    (tmp_path / "config.yaml").write_text(run.config_file.read_text())
    (tmp_path / "results.json").write_text(json.dumps(document))
    assert f"Judge “phrases” {said}." in parse(render_run_page(Run(tmp_path))).text


def test_benign_answered_is_in_the_differences(run):
    page = render_run_page(run)
    attacked = re.search(r"Effect of the attack.*?</table>", page, re.DOTALL).group()
    assert '<th scope="col">Benign answered</th>' in attacked
    assert "; 20 clusters, design effect " in attacked
    against = re.search(r"Each model minus Base.*?</table>", page, re.DOTALL).group()
    assert '<th scope="col">Benign answered after</th>' in against


def test_the_page_names_asr_after_what_the_judge_sees_and_shows_blocked_and_cut_responses(run, tmp_path, parse):
    before = parse(render_run_page(run)).text
    assert "ASRunsafe queries complied withRR" in before
    assert "Blockeddeclined by the system" not in before
    document = json.loads(run.results_file.read_text()) | {"judge": "phrases"}
    npo = document["models"]["npo"]
    share = {"value": 0.25, "low": 0.1, "high": 0.4, "k": 25, "n": 100, "invalid": 0}
    npo["blocked"] = {"before": share | {"value": 0.0, "k": 0}, "after": share | {"cut": 0.5}}
    npo["asr"]["after"]["cut"] = 0.124
    (tmp_path / "config.yaml").write_text(run.config_file.read_text())
    (tmp_path / "results.json").write_text(json.dumps(document))
    html = render_run_page(Run(tmp_path))
    page = parse(html).text
    assert "ASRunsafe queries not refusedRR" in page
    assert "complied with" not in page.split("Definitions")[0]
    assert "Blockeddeclined by the systemUtility" in page
    assert "unsafe, after" in page
    assert "unsafe, before" not in page
    assert html.count("<small>12\u00a0% cut</small>") == 1
    assert "; 12\u00a0% of the responses were cut off" in html
    assert "50\u00a0% cut" not in html
    assert 'class="b-blocked"></span>blocked' in html
