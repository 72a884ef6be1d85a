import json
from dataclasses import replace

import pytest

from unmirage.evaluate.agreement import JudgeQuality
from unmirage.evaluate.outcomes import model_rates
from unmirage.evaluate.results import Results, cut_off
from unmirage.intervals import rate
from unmirage.records import Kind

RATE = ["clusters", "design_effect", "high", "invalid", "k", "low", "n", "value"]


@pytest.fixture
def rates(make_outcomes):
    return model_rates(
        make_outcomes(Kind.PLAIN, "c c r x")
        + make_outcomes(Kind.PLAIN, "r c", unsafe=False)
        + make_outcomes(Kind.JAILBREAK, "rc rr rx")
    )


@pytest.fixture
def results(rates):
    return Results.of(
        judge="exact",
        seeds=[3, 4],
        models={"base": rates, "npo": model_rates([])},
        by_seed=[{"base": rates}, {"base": rates, "npo": model_rates([])}],
        attack={"jailbreak_word": "what", "shots": 2},
        judges={"phrases": JudgeQuality(precision=rate(1, 2), recall=rate(0, 0), complied_precision=rate(3, 3))},
        settings={"seed": 3},
        machine={"cpus": 2},
        timings={"ask base": 1.26},
    )


def test_the_document_has_the_published_shape(results):
    document = results.to_dict()
    assert list(document) == [
        "schema", "seeds", "judge", "attack", "clustered_by", "warnings", "models", "comparisons",
        "suite", "by_seed", "judges", "settings",
        "machine", "timings",
    ]  # fmt: skip
    assert document["schema"] == "unmirage.results/2"
    assert document["seeds"] == [3, 4]
    assert list(document["models"]) == ["base", "npo"]
    for model in document["models"].values():
        assert {"asr", "rr", "ir", "utility"} <= set(model)
        for name in ("asr", "rr", "ir"):
            assert {"before", "after"} <= set(model[name])
            for one in (model[name]["before"], model[name]["after"]):
                assert sorted(one) == sorted([*RATE, *(["least", "most"] if one["invalid"] else [])])
        assert sorted(model["utility"]) == RATE


def test_rates_are_objects_with_their_counts(results, rates):
    base = results.to_dict()["models"]["base"]
    asr = rates.asr.before
    assert base["asr"]["before"] == {
        "value": 2 / 3, "low": asr.low, "high": asr.high, "k": 2, "n": 3, "invalid": 1, "clusters": 3,
        "design_effect": 1.0, "least": 0.5, "most": 0.75,
    }  # fmt: skip
    assert [base["asr"]["after"][key] for key in ("value", "k", "n", "invalid")] == [0.5, 1, 2, 1]
    # "rx" has one valid shot of two: it counts for k = 1 alone.
    assert [(one["k"], one["n"], one["invalid"]) for one in base["asr"]["by_k"]] == [(0.5, 3, 0), (1, 2, 1)]
    # By hand, of the samples "rc", "rr" and "rx": (1/2 + 0 + 0) / 3 to (1/2 + 0 + 1/2) / 3, and (1 + 0 + 0) / 3 to 2/3.
    bounds = [one[name] for one in base["asr"]["by_k"] for name in ("least", "most")]
    assert bounds == pytest.approx([1 / 6, 1 / 3, 1 / 3, 2 / 3])
    assert [(one["k"], one["n"]) for one in base["asr"]["by_shot"]] == [(0, 3), (1, 2)]
    assert (base["asr"]["control_by_k"], base["asr"]["by_kind"], base["rr"]["by_kind"]) == ([], {}, {})
    assert [base["asr"]["per_shot"][key] for key in ("k", "n", "invalid")] == [1, 5, 1]
    assert base["asr"]["control"] == base["utility"]
    assert base["utility"] == {"value": None, "low": None, "high": None, "k": 0, "n": 0, "invalid": 0} | {
        "clusters": 0, "design_effect": None
    }  # fmt: skip
    assert base["rr"]["before"]["value"] == 0.5
    assert base["ir"]["after"]["n"] == base["refused_unsafe"]["after"]["n"] == 5
    assert base["refused_unsafe"]["after"]["k"] == 4


def test_each_seed_is_there_by_itself(results):
    document = results.to_dict()
    assert [(one["seed"], list(one["models"])) for one in document["by_seed"]] == [
        (3, ["base"]),
        (4, ["base", "npo"]),
    ]
    pooled = document["models"]["base"]
    assert document["by_seed"][0]["models"]["base"].items() <= pooled.items()
    assert pooled["over_seeds"]["asr.before"]["n"] == 2
    assert document["models"]["npo"]["over_seeds"]["asr.before"]["n"] == 0
    assert document["models"]["npo"]["over_seeds"]["asr.before"]["low"] is None


def test_judges_timings_and_settings_are_kept(results):
    document = results.to_dict()
    assert sorted(document["judges"]["phrases"]) == ["complied_precision", "precision", "recall"]
    assert document["judges"]["phrases"]["recall"]["value"] is None
    assert document["judges"]["phrases"]["complied_precision"]["k"] == 3
    assert document["timings"] == {"ask base": 1.3}
    assert (document["attack"]["shots"], document["settings"], document["machine"]) == (
        2,
        {"seed": 3},
        {"cpus": 2},
    )


def test_the_document_is_plain_json_without_nan(results):
    document = results.to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_a_seed_without_rates_is_our_mistake(rates):
    with pytest.raises(ValueError, match="zip"):
        Results.of(judge="j", seeds=[0, 1], models={}, by_seed=[{}], attack={})


def test_a_warning_names_the_models_that_the_token_limit_cut_off(rates):
    models = {name: replace(rates, truncated=share) for name, share in (("npo", 0.25), ("sft", 0.009), ("none", 0.0))}
    assert list(cut_off(models, {"max_new_tokens": 64})) == [
        "npo: the token limit of 64 cut off up to 25\u00a0% of the responses behind a rate; raise --max-new-tokens"
    ]
    (judged,) = cut_off(models, {"responses": {}})
    assert judged.endswith("cut off up to 25\u00a0% of the responses behind a rate; collect them with a higher one")
    (line,) = Results.of(judge="exact", seeds=[0], models={"npo": models["npo"]}, by_seed=[{}]).warnings[-1:]
    assert line.startswith("npo: the token limit cut off up to 25")
