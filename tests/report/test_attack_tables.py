import json
from dataclasses import replace

import pytest

from unmirage.evaluate.forms import FormRates
from unmirage.evaluate.results import Results
from unmirage.intervals import rate
from unmirage.records import Rate
from unmirage.report.attack_tables import MOST_FORMS, MOST_SHOTS, form_tables, other_attacks, shot_table


def read(k, n):
    found = rate(k, n)
    return Rate(value=found.value, low=found.low, high=found.high, k=k, n=n)


@pytest.fixture
def results(run):
    """Return a function that gives the run's results with rates of NPO changed."""

    def changed(asr=None, rr=None):
        found = Results.load(run.results_file)
        npo = found.models["npo"]
        cleared = {"by_kind": {}}
        models = {
            name: replace(model, asr=replace(model.asr, **cleared), rr=replace(model.rr, **cleared))
            for name, model in found.models.items()
        }
        models["npo"] = replace(npo, asr=replace(npo.asr, **asr or {}), rr=replace(npo.rr, **rr or {}))
        return replace(found, models=models)

    return changed


def test_single_shots_are_one_column_each_after_the_pooled_rate(results):
    table = shot_table(results())
    assert [column.name for column in table.columns] == ["all shots", "shot 1", "shot 2", "shot 3"]
    assert [name for name, _ in table.rows][-2:] == ["npo", "rmu"]
    npo = results().models["npo"].asr
    cells = dict(table.rows)["npo"]
    assert [one.count for one in cells] == [f"{one.k}/{one.n}" for one in (npo.per_shot, *npo.by_shot)]


def test_the_bootstrap_stands_beside_the_pooled_rate_where_there_is_one(run, enrich):
    document = enrich(json.loads(run.results_file.read_text()))
    document["models"]["rmu"]["bootstrap"] = {}
    table = shot_table(Results.read(document))
    assert [column.small for column in table.columns][:2] == ["pooled", "bootstrap of clusters"]
    cells = dict(table.rows)
    assert (cells["npo"][1].value, cells["npo"][1].interval, cells["npo"][1].count) == ("50.0", "25.0–62.5", "n 180")
    assert cells["rmu"][1].value == "n/a"


def test_many_shots_are_cut_and_a_model_with_fewer_has_gaps(results):
    table = shot_table(results(asr={"by_shot": [read(1, 4)] * 40}))
    assert len(table.columns) == 1 + MOST_SHOTS
    assert [one.value for one in dict(table.rows)["base"]][4:] == ["n/a"] * (MOST_SHOTS - 3)


def test_the_control_alone_is_in_the_main_table_already(results):
    assert other_attacks(results(asr={"by_kind": {}}, rr={"by_kind": {}})) is None
    assert other_attacks(results(asr={"by_kind": {"control": read(1, 4)}}, rr={"by_kind": {}})) is None


def test_other_kinds_stand_beside_the_attack_in_a_fixed_order(results):
    kinds = {"sneer": read(1, 2), "insertion": read(3, 4), "neutral": read(2, 4)}
    table = other_attacks(results(asr={"by_kind": kinds}, rr={"by_kind": {"control": read(1, 3)}}))
    assert [column.name for column in table.columns] == [
        "ASR: attack",
        "ASR: neutral",
        "ASR: insertion",
        "ASR: sneer",
        "RR: attack",
        "RR: control",
    ]
    assert [one.count for one in dict(table.rows)["npo"]][1:4] == ["2/4", "3/4", "1/2"]
    assert {one.value for one in dict(table.rows)["base"][1:4]} == {"n/a"}


def with_forms(results, **forms):
    models = dict(results.models)
    for name, by_form in forms.items():
        families = {"noun": read(3, 4), "insert": read(0, 9)}
        models[name] = replace(models[name], wordings={"jailbreak": FormRates(by_form=by_form, by_family=families)})
    return replace(results, models=models)


def test_forms_are_one_row_each_and_families_come_first(results):
    found = with_forms(
        results(), npo={"what is the": read(3, 4)}, rmu={"what would you": read(0, 50), "what is the": read(1, 2)}
    )
    table = form_tables(found)["ASR of single shots by wording"]
    assert list(form_tables(found)) == ["ASR of single shots by wording"]
    assert [column.name for column in table.columns] == list(found.models)
    assert [name for name, _ in table.rows] == ["family: insert", "family: noun", "what would you …", "what is the …"]
    cells = {name: dict(zip(found.models, row, strict=True)) for name, row in table.rows}
    assert (cells["what would you …"]["rmu"].count, cells["what would you …"]["npo"].value) == ("0/50", "n/a")
    assert cells["what is the …"]["npo"].count == "3/4"


def test_only_the_most_frequent_forms_are_rows(results):
    many = {f"what is {number:02}": read(0, 1) for number in range(MOST_FORMS + 9)}
    table = form_tables(with_forms(results(), npo=many))["ASR of single shots by wording"]
    assert len(table.rows) == 2 + MOST_FORMS


def test_results_of_versions_without_forms_have_no_such_table(run):
    document = json.loads(run.results_file.read_text())
    for model in document["models"].values():
        model.pop("wordings", None)
    assert form_tables(Results.read(document)) == {}


def test_the_form_control_has_its_column_in_the_report(results):
    table = other_attacks(
        results(asr={"by_kind": {"control": read(1, 4), "form-control": read(2, 4)}}, rr={"by_kind": {}})
    )
    assert [column.name for column in table.columns] == ["ASR: attack", "ASR: control", "ASR: form control"]
