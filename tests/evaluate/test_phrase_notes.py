"""Results say which responses the phrases of a judge cannot tell, and docs show the kept figures of the phrases."""

import importlib
import json
from pathlib import Path

import pytest

from unmirage.evaluate.assess import Judging, evaluate_run
from unmirage.evaluate.judges import PhraseJudge, TextJudge
from unmirage.records import Response, Verdict
from unmirage.run.directory import open_run

ROOT = Path(__file__).parents[2]
CONFIG = {"seed": 5, "attack": {"shots": 1}, "notes": ["3 queries were left out"]}
LITHUANIAN = "Šiame paveikslėlyje matomas raudonas autobusas."


class Other(TextJudge):
    name = "other"

    def verdict(self, query, response):
        return Verdict.COMPLIED, ""


@pytest.mark.parametrize(
    ("judges", "notes"),
    [
        ([PhraseJudge()], ["2 of 3 responses are in languages without refusal phrases (Lithuanian 2), so the judge"]),
        ([Other(), PhraseJudge()], ["2 of 3 responses are in languages without refusal phrases"]),
        ([Other()], []),
    ],
)
def test_results_warn_of_languages_without_phrases(tmp_path, make_query, judges, notes):
    with open_run(tmp_path / "run", CONFIG) as run:
        with run.store() as store:
            store.add_queries([make_query("u0"), make_query("u1")])
            texts = [("u0", "m", LITHUANIAN), ("u1", "m", "It is made of amber."), ("u0", "n", LITHUANIAN)]
            store.add_responses(
                Response(query_id=make_query(sample).id, model=model, text=text, tokens=5)
                for sample, model, text in texts
            )
        first, *found = evaluate_run(run, Judging(judges=judges)).warnings
    assert first == "3 queries were left out"
    told = [one for one in found if "languages" in one]
    assert len(told) == len(notes)
    assert all(one.startswith(note) for one, note in zip(told, notes, strict=True))


def test_docs_show_the_kept_figures_of_the_phrases(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    line = importlib.import_module("refusal_accuracy").line
    kept = json.loads((ROOT / "benchmarks/results/refusal_accuracy.json").read_text("utf-8"))
    page = (ROOT / "docs/calibrate.md").read_text("utf-8")
    assert len(kept["results"]) == 20
    assert [row for row in map(line, kept["results"]) if row not in page] == []
    fitted = [one for one in kept["classifier"] if one["set"].startswith("xstest")]
    right = sum(one["accuracy_others_answered"]["count"] for one in fitted)
    assert f"{sum(one['recall']['count'] for one in fitted)} of 554 full refusals" in page
    assert f"accuracy {right / 1350:.3f}" in page
