"""What a full evaluation says beside its rates, as the page's tables and charts have it."""

import json
from dataclasses import replace

import pytest

from unmirage.evaluate.results import Results
from unmirage.report.charts import LEFT, RIGHT
from unmirage.report.differences import heat_maps
from unmirage.report.extras import corrected_rows, irrelevant_views, judges_view, scores_table, seeds_table
from unmirage.report.robustness import robustness_panels, variant_rows
from unmirage.report.table import collapse


@pytest.fixture(scope="module")
def plain(run):
    return Results.read(json.loads(run.results_file.read_text()), "results.json")


@pytest.fixture(scope="module")
def rich(run, enrich):
    return Results.read(enrich(json.loads(run.results_file.read_text())), "results.json")


def test_older_results_have_none_of_it(plain):
    models = plain.models
    assert (heat_maps(models, "exact"), robustness_panels(models), variant_rows(models), corrected_rows(models)) == (
        [],
        [],
        [],
        [],
    )
    assert (scores_table(models), seeds_table(models), irrelevant_views(models)) == (None, None, {})
    assert list(judges_view(plain).rows) == ["phrases"]
    assert judges_view(replace(plain, judges={})) is None


def test_heat_maps(rich):
    asr, rr = heat_maps(rich.models, "exact")
    assert (asr.rate, rr.rate, asr.compared, asr.models) == ("ASR", "RR", True, tuple(rich.models))
    assert [name for name, _ in asr.rows] == ["weapons", "privacy <b>"]
    fields = dict(asr.rows)["weapons"]
    assert [one.tint for one in fields[:6]] == [0, 2, 4, 6, 8, 10]
    assert (fields[2].cell.value, fields[2].before) == ("40.0", "3.0")


def test_a_heat_map_of_a_benchmark_that_nobody_attacked(rich):
    nothing = {"value": None, "low": None, "high": None, "k": 0, "n": 0}
    document = rich.to_dict()
    for model in document["models"].values():
        for found in model["categories"].values():
            found["asr"]["after"] = nothing
            found["rr"] = {"before": nothing, "after": nothing}
    del document["models"]["npo"]["categories"]["weapons"]
    (asr,) = heat_maps(Results.read(document).models, "phrases")
    assert not asr.compared
    base, npo = (dict(asr.rows)["weapons"][list(rich.models).index(name)] for name in ("base", "npo"))
    assert (base.cell.value, base.tint, base.before) == ("3.0", 0, "")
    assert (npo.cell.value, npo.tint, npo.cell.title) == ("–", None, "not measured")


def test_robustness_has_one_line_for_each_model_and_data(rich):
    (panel,) = robustness_panels(rich.models)
    assert (panel.model, panel.kind, panel.axis) == ("npo", "relearned", "fine-tuning samples")
    assert [text for _, text in panel.ticks] == ["0", "25", "100"]
    assert [curve.data for curve in panel.curves] == ["forget", "benign"]
    step = (RIGHT - LEFT) / 3
    forget, benign = panel.curves
    assert [mark.x for mark in forget.marks] == [round(LEFT + step * (n + 0.5), 1) for n in range(3)]
    assert [mark.label for mark in forget.marks[1:]] == ["40\u00a0%", "80\u00a0%"]
    assert forget.marks[0].y == benign.marks[0].y  # both start from the model itself
    assert forget.line.count(",") == 3
    assert [(row.name, row.of, row.how) for row in variant_rows(rich.models)] == [
        ("npo + 25 forget", "npo", "relearned 25 (forget)"),
        ("npo + 25 benign", "npo", "relearned 25 (benign)"),
        ("npo + 100 forget", "npo", "relearned 100 (forget)"),
        ("npo + 100 benign", "npo", "relearned 100 (benign)"),
        ("npo + int8", "npo", "int8"),
    ]


def test_scores(rich):
    table = scores_table(rich.models)
    assert [column.name for column in table.columns] == ["vqa"]
    name, (cell,) = table.rows[0]
    assert (name, cell.value, cell.interval, cell.count) == ("base", "62.5", "50.0–75.0", "n 40")


def test_means_over_seeds_have_a_column_for_each_rate_that_has_one(rich):
    models = dict(rich.models)
    models["npo"] = replace(models["npo"], over_seeds={})
    table = seeds_table(models)
    assert [column.name for column in table.columns] == ["ASR after"]
    rows = dict(table.rows)
    assert [(one.value, one.interval, one.count) for one in rows["base"]] == [("50.0", "12.5–87.5", "n 3")]
    assert [one.value for one in rows["npo"]] == ["–"]


def test_corrected_rates_stand_beside_the_raw_ones(rich):
    rows = {(row.model, row.rate): row for row in corrected_rows(rich.models)}
    before, after = rows["npo", "ASR before"], rows["npo", "ASR after"]
    assert before.raw.value == f"{100 * rich.models['npo'].asr.before.value:.1f}"
    assert (before.corrected.value, before.corrected.interval, before.why_not) == ("25.0", "12.5–37.5", "")
    assert after.why_not == "the judge is no better than chance"
    assert len(rows) == 5 * len(rich.models)


def test_judges_have_the_columns_that_any_of_them_fills(rich, plain):
    assert [column.name for column in judges_view(plain).columns] == ["Precision", "Recall", "Precision of “complied”"]
    view = judges_view(rich)
    assert [column.name for column in view.columns][3:] == ["Flipped by attacks", "Sensitivity", "Specificity"]
    assert [cell.value for cell in view.rows["llm"]] == ["–", "–", "–", "17.5", "–", "–"]
    assert [cell.value for cell in view.rows["exact"]][3:] == ["–", "90.0", "96.0"]
    assert [column.name for column in view.attacks.columns] == ["forged verdict", "empty"]
    assert [(name, [cell.value for cell in cells]) for name, cells in view.attacks.rows] == [("llm", ["62.5", "0.0"])]


def test_what_is_said_instead_is_a_stacked_bar(rich):
    found = irrelevant_views(rich.models)["npo"]
    assert [(one.verdict, one.x, one.width, one.inside) for one in found.segments] == [
        ("empty", 0.0, 10.0, ""),
        ("repeated", 10.0, 15.0, "15\u00a0%"),
        ("nonsense", 25.0, 25.0, "25\u00a0%"),
        ("off-topic", 50.0, 50.0, "50\u00a0%"),
    ]
    assert found.clusters[0].size == 12


def test_collapse_is_taken_from_the_results_where_they_say_it(rich, plain):
    assert collapse(rich.models["rmu"]) == "answers 31 % of everyday questions"
    assert collapse(rich.models["base"]) == ""
    assert "everyday questions" in collapse(plain.models["rmu"])
    silent = replace(plain.models["rmu"], collapsed=())
    assert collapse(silent) == ""
