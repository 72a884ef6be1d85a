"""What a page about a published benchmark says first."""

import pytest

from unmirage.evaluate.results import Results
from unmirage.report.summary import summarize

NONE = {"value": None, "low": None, "high": None, "k": 0, "n": 0}


def rate(k, n):
    return {"value": k / n, "low": 0.0, "high": 1.0, "k": k, "n": n}


@pytest.fixture
def results():
    """Return a function that makes results of models on a suite, from what each has beside nothing."""

    def make(**models):
        pair = {"before": NONE, "after": NONE}
        empty = {
            "asr": pair | {"per_shot": NONE, "by_k": [], "control": NONE},
            "rr": pair,
            "ir": pair,
            "refused_unsafe": pair,
            "utility": NONE,
        }
        return Results.read(
            {
                "schema": "unmirage.results/2",
                "seeds": [0],
                "judge": "phrases",
                "suite": {"name": "xstest", "purpose": "over-refusal"},
                "models": {
                    name: empty | {key: empty[key] | value if key in ("asr", "rr", "ir") else value}
                    for name, (key, value) in models.items()
                },
            }
        )

    return make


def test_one_model_is_the_headline(results):
    assert summarize(results(npo=("rr", {"before": rate(1, 4)}))) == [
        "NPO refuses 25\u00a0% of the benign ones (xstest)."
    ]
    found = summarize(results(m=("scores", {"VQA accuracy": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}})))
    assert found == ["m scores 50\u00a0% by VQA accuracy (xstest)."]


def test_several_models_have_a_sentence_each(results):
    found = summarize(
        results(base=("asr", {"before": rate(3, 4)}), npo=("ir", {"before": rate(4, 4)}), m=("utility", NONE))
    )
    assert found == [
        "3 models on xstest, with its original questions.",
        "Base does not refuse 75\u00a0% of the unsafe queries.",
        "NPO gives irrelevant responses to 100\u00a0% of the unsafe ones.",
        "m has no estimable rate.",
    ]
