"""Several runs on one page: names, differences, and what keeps them from being compared."""

import json
import re
import shutil

import pytest
import yaml

from unmirage.errors import UserError
from unmirage.evaluate.compare_runs import across
from unmirage.report.differences import differences
from unmirage.report.gather import gather
from unmirage.report.run_page import render_comparison_page, render_run_page
from unmirage.run import Run


@pytest.fixture
def copied(run, tmp_path):
    """Return a function that copies the run under another name, with changed results."""

    def copied(name, change=None, config=None):
        folder = tmp_path / name
        shutil.copytree(run.path, folder)
        document = json.loads(run.results_file.read_text())
        if change:
            change(document)
        (folder / "results.json").write_text(json.dumps(document))
        if config:
            (folder / "config.yaml").write_text(yaml.safe_dump({"images": "pictures"} | config))
        return Run(folder)

    return copied


def only(*names):
    def change(document):
        document["models"] = {name: document["models"][name] for name in names}
        document["by_seed"] = []

    return change


def row(table, name):
    return dict(zip(table.columns, dict(table.rows)[name], strict=True))


def test_a_name_in_two_runs_gets_its_runs_name(copied):
    found = gather([copied("a", only("npo", "rmu")), copied("b", only("npo", "base"))])
    assert list(found.results.models) == ["NPO (a)", "rmu", "NPO (b)", "base"]
    assert [list(source.models.values()) for source in found.sources] == [["npo", "rmu"], ["npo", "base"]]
    assert list(found.results.judges) == ["phrases (a)", "phrases (b)"]
    assert found.label("rmu") == "rmu"
    assert found.label("NPO (b)") == "NPO (b)"
    with pytest.raises(UserError, match=r"--reference npo: several models have this name; valid: NPO \(a\), NPO \(b\)"):
        found.label("npo")
    with pytest.raises(UserError, match=r"--reference x: no model has this name; valid: NPO \(a\), rmu"):
        found.label("x")


def test_runs_of_one_name_are_told_apart_and_one_run_is_not_named_twice(copied, tmp_path):
    a = copied("a", only("npo"))
    shutil.copytree(a.path, tmp_path / "other" / "a")
    found = gather([a, Run(tmp_path / "other" / "a")])
    assert (list(found.runs), list(found.results.models)) == (["a", "a (2)"], ["NPO (a)", "NPO (a (2))"])
    with pytest.raises(UserError, match="listed twice; list each run once"):
        gather([a, Run(a.path)])


def test_variants_follow_the_name_of_what_they_were_made_from(copied, enrich):
    found = gather([copied("a", enrich), copied("b", enrich)])
    assert found.results.models["NPO + int8 (b)"].variant.of == "NPO (b)"
    page = render_comparison_page([copied("c", enrich), copied("d", only("base"))])
    assert "fine-tuning samples" in page


def test_what_differs_between_runs_is_said(copied):
    def other(document):
        document["judge"] = "llm"
        document["attack"]["jailbreak_word"] = "who"
        document["suite"] = {"name": "figstep", "purpose": "safety"}

    a = copied("a", config={"data": "x.json", "data_sha256": "1" * 64})
    b = copied("b", other, config={"data": "x.json", "data_sha256": "2" * 64})
    found = gather([a, b]).warnings
    assert [one.split(" differ: ")[0] for one in found] == ["Judges", "Attacks", "Benchmarks", "Data"]
    assert "exact in a and llm in b" in found[0]
    assert "“what” and “share”, any of 3 shots in a and “who”" in found[1]
    assert f"sha256 {'1' * 12} in a" in found[3]
    assert gather([a, copied("c", config={"data": "moved.json", "data_sha256": "1" * 64})]).warnings == []
    (data,) = gather([a, copied("d", config={"data": "x.json"})]).warnings
    assert data.endswith("x.json in d; their rates may be about different samples.")


def test_differences_are_those_of_the_stores(copied):
    runs = [copied("a", only("base", "npo")), copied("b", only("npo"))]
    gathered = gather(runs)
    found = differences(gathered, "NPO (a)")
    comparisons = {
        (one.a.model, one.b.model, one.b.rate): one for one in across(gathered.sources, "NPO (a)").comparisons
    }
    base = row(found.against, "base")
    assert list(base) == [
        "ASR before",
        "ASR after",
        "RR before",
        "RR after",
        "Benign answered before",
        "Benign answered after",
        "Utility",
    ]
    expected = comparisons["NPO (a)", "base", "asr.before"]
    assert base["ASR before"].value == f"+{100 * expected.difference:.1f}"
    assert (base["ASR before"].clear, base["ASR before"].p) == (True, "p <0.001")
    assert f"{expected.n} samples" in base["ASR before"].title
    same = row(found.against, "NPO (b)")["ASR before"]
    assert (same.value, same.p, same.clear) == ("+0.0", "p = 1.000", False)
    assert [name for name, _ in found.attacked.rows] == ["base", "NPO (a)", "NPO (b)"]
    assert (found.reference, found.tests, found.notes) == ("NPO (a)", len(comparisons), ())


def test_saved_comparisons_of_one_run_are_used_unless_another_reference_is_named(copied):
    one = {
        "a": {"model": "npo", "rate": "utility"}, "b": {"model": "base", "rate": "utility"}, "n": 60, "only_a": 1,
        "only_b": 9, "difference": 0.125, "low": 0.05, "high": 0.25, "p_value": 0.02, "p_holm": 0.04,
    }  # fmt: skip
    gathered = gather([copied("a", lambda document: document.update(comparisons=[one]))])
    saved = differences(gathered)
    assert (saved.reference, saved.attacked, saved.tests) == ("npo", None, 1)
    cell = row(saved.against, "base")["Utility"]
    assert (cell.value, cell.interval, cell.p, cell.clear) == ("+12.5", "5.0 to 25.0", "p = 0.040", True)
    assert differences(gathered, "npo") == saved
    assert differences(gathered, "base").attacked is not None


def test_what_is_not_paired_says_why_on_the_page(copied, parse):
    def by_phrases(document):
        only("npo", "base")(document)
        document["judge"] = "phrases"

    b = copied("b", by_phrases)
    with b.store() as store:
        store._db.execute("UPDATE judgements SET judge = 'phrases'")
        store._db.commit()
    page = render_comparison_page([copied("a", only("rmu")), b])
    text = parse(page).text
    assert "not paired: different judges ('exact' and 'phrases')" in text
    assert "Judges differ: exact in a and phrases in b" in text
    assert "3 models of 2 runs" in text


def test_a_torn_store_is_one_line_and_the_rest_is_there(copied, parse):
    a, b = copied("a", only("base", "npo")), copied("b", only("rmu"))
    (b.path / "store.sqlite").write_bytes(b"no database" * 100)
    page = render_comparison_page([a, b])
    text = parse(page).text
    assert re.search(r"b: cannot read a store \(.*store\.sqlite.*\), so its models are not paired\.", text)
    assert "b: store.sqlite could not be read" in text
    assert "NPO" in text
    assert "RMU" in text
    assert "Effect of the attack" in text


def test_names_that_no_file_can_hold_are_shown_cleaned(copied, parse):
    def rename(document):
        only("npo")(document)
        document["models"]["n\ud800po\x1b[31m\u202e"] = document["models"].pop("npo")

    page = render_comparison_page([copied("a", rename), copied("b", only("rmu"))])
    page.encode("utf-8")
    assert "npo" in parse(page).text
    assert not re.search(r"[\x1b\u202e]", page)


def test_a_benchmark_that_nobody_attacked(copied, parse):
    nothing = {"value": None, "low": None, "high": None, "k": 0, "n": 0}

    def unattack(document):
        document |= {"attack": {}, "by_seed": [], "suite": {"name": "xstest", "purpose": "over-refusal"}}
        for model in document["models"].values():
            model["asr"] = dict.fromkeys(("after", "per_shot", "control"), nothing) | {
                "before": model["asr"]["before"],
                "by_k": [],
            }
            model["rr"] = {"before": model["rr"]["before"], "after": nothing}
            model["ir"]["after"] = nothing

    run = copied("a", unattack)
    with run.store() as store:
        store._db.execute("DELETE FROM queries WHERE kind NOT IN ('plain', 'utility')")
        for table in ("responses", "judgements"):
            store._db.execute(f"DELETE FROM {table} WHERE query_id NOT IN (SELECT id FROM queries)")
        store._db.commit()
    page = render_run_page(run)
    text = parse(page).text
    assert "There was no attack" in text
    assert "benchmark xstest" in text
    assert "ASR before the attack, %" in text
    assert 'id="shots"' not in page
    assert "Effect of the attack" not in text
    assert "Each model minus Base" in text


def test_fewer_stores_than_seeds_are_said(make_run, tmp_path):
    run = make_run(tmp_path / "run", seeds=(0, 1), size=20)
    (run.path / "seed-1" / "store.sqlite").unlink()
    assert differences(gather([run])).notes == (
        "run: its rates pool 2 seeds, but only 1 can be paired; the others have no store.",
    )


def test_a_full_comparison_is_inert_and_has_all_sections(copied, enrich, spoilt, hostile, assert_inert, parse):
    def spoil(document):
        enrich(document)
        for model in document["models"].values():
            for key in ("categories", "scores"):
                model[key] = {f"{name}{hostile}": one for name, one in model[key].items()}
            model["irrelevant_responses"] = spoilt(model["irrelevant_responses"])
            for found in model["corrected"].values():
                for one in found.values():
                    one["why"] += hostile
            if model["variant"]:
                model["variant"]["data"] += hostile
                model["variant"]["kind"] += hostile
        document["suite"] = {"name": hostile, "purpose": hostile}

    page = render_comparison_page([copied("a", spoil), copied("b", enrich)])
    parsed = parse(page)
    assert_inert(parsed, 2)
    assert "\x1b" not in page
    assert "\x00" not in page
    assert re.findall(r'<h2 id="(\w+)"', page) == [
        "runs", "rates", "tradeoff", "differences", "shots", "categories", "responses", "irrelevant", "robustness",
        "scores",
        "judges", "examples", "browse", "reading", "settings",
    ]  # fmt: skip
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in parsed.all("a")} <= set(ids)
    for chart in parsed.all("svg"):
        assert set((chart.get("aria-labelledby") or "").split()) <= set(ids)
    assert "The lamp hums quietly." in page
    assert "The lamp hums quietly." not in render_run_page(copied("c", enrich), redact=True)


@pytest.mark.parametrize("settings", [{}, {"color_scheme": "dark", "width": 420}])
def test_a_browser_shows_a_full_comparison(copied, enrich, show, settings):
    shown = show(render_comparison_page([copied("a", enrich), copied("b", enrich)]), **settings)
    assert shown.complaints == []
    assert len(shown.requests) == 1
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= settings.get("width", 1200)
    tint = "getComputedStyle(document.querySelector('.heat .t-10')).backgroundColor"
    assert shown.page.evaluate(tint) not in ("rgba(0, 0, 0, 0)", "")
    # No label of the plot covers another one, as they are drawn.
    boxes = shown.page.eval_on_selector_all(
        "text.strong, text.name",
        "all => all.filter(t => t.closest('.plot')).map(t => t.getBoundingClientRect().toJSON())",
    )
    assert len(boxes) > 10
    for place, a in enumerate(boxes):
        for b in boxes[:place]:
            apart = a["right"] < b["left"] or b["right"] < a["left"]
            assert apart or a["bottom"] < b["top"] + 5 or b["bottom"] < a["top"] + 5
    assert shown.page.pdf().startswith(b"%PDF")
