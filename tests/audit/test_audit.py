import json
import math
import time
from pathlib import Path

import pytest

from unmirage.audit import audit
from unmirage.data import load_samples
from unmirage.errors import UserError

VLGUARD = Path(__file__).parents[2] / ".." / "shared" / "data" / "vlguard" / "train.json"


def numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for part in value for number in numbers(part)]
    return [value] if isinstance(value, float) else []


def test_the_document_has_the_agreed_shape(tied):
    document = audit(tied).to_json()
    assert list(document) == [
        "schema", "source", "format", "n", "refused", "label_source", "predictability", "shortcut_gap",
        "findings", "openers", "suggested",
    ]  # fmt: skip
    assert (document["schema"], document["source"]) == ("unmirage.audit/1", "toy.json")
    assert (document["n"], document["refused"], document["label_source"]) == (200, 100, "field")
    assert set(document["predictability"]["opener"]) == {"train", "test", "baseline"}
    assert set(document["findings"][0]) == {
        "feature", "position", "refused", "answered", "log_odds", "low", "high", "q_value", "direction",
    }  # fmt: skip
    assert document["openers"][0] == {"opener": "can", "refused": 40, "answered": 40}
    assert document["suggested"] == {"jailbreak": ["what"], "over_prudence": ["share"]}
    assert all(math.isfinite(number) for number in numbers(document))
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_the_shortcut_gap_is_the_opener_rule_minus_the_majority(tied):
    result = audit(tied)
    rule = result.predictability["opener"]
    assert result.shortcut_gap == rule.test - rule.baseline
    assert result.shortcut_gap > 0.2


def test_the_same_seed_gives_the_same_document(tied):
    assert audit(tied, seed=1).to_json() == audit(tied, seed=1).to_json()


def test_what_is_not_estimable_is_null(make_dataset):
    document = audit(make_dataset(("What", False), ("Share", True))).to_json()
    assert document["shortcut_gap"] is None
    assert document["predictability"]["words"] == {"train": None, "test": None, "baseline": None}
    assert (document["findings"], document["suggested"]) == ([], {"jailbreak": [], "over_prudence": []})
    assert len(document["openers"]) == 2


def test_one_class_and_no_query_are_the_users_mistake(make_dataset, tied):
    message = r"toy\.json: all 2 queries are refused \(field 'refused', read from .*; valid: .* one answered"
    with pytest.raises(UserError, match=message):
        audit(make_dataset(("What", True), ("Share", True)))
    with pytest.raises(UserError, match=r"all 1 queries are answered .* at least one refused"):
        audit(make_dataset(("What", False)))
    with pytest.raises(UserError, match=r"toy\.json: holds no queries"):
        audit(make_dataset())
    with pytest.raises(UserError, match=r"toy\.json: holds no queries"):
        audit(tied, make_dataset())


def test_odd_texts_are_survived(make_dataset):
    odd = ["\ud800 a", "a\0b", "שלום עולם", "w" * 1_000_000, "", "\u202ea", "$x^{$"]
    document = audit(make_dataset(*((text, n % 2 == 0) for n, text in enumerate(odd * 4)))).to_json()
    json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
    assert document["n"] == 28


@pytest.mark.skipif(not VLGUARD.exists(), reason="VLGuard's text is not here")
def test_vlguard_shows_the_papers_numbers():
    started = time.perf_counter()
    document = audit(load_samples(VLGUARD)).to_json()
    assert time.perf_counter() - started < 10
    assert (document["n"], document["refused"]) == (2977, 2000)
    openers = {count["opener"]: (count["refused"], count["answered"]) for count in document["openers"]}
    assert (openers["what"], openers["can"], openers["share"]) == ((61, 869), (862, 103), (195, 0))
    rule = document["predictability"]["opener"]
    assert rule["test"] >= 0.94
    assert rule["baseline"] == pytest.approx(2000 / 2977)
    assert document["predictability"]["words"]["test"] > 0.97
    assert document["suggested"]["jailbreak"][0] == "what"
    assert {"share", "describe", "please", "identify", "can"} <= set(document["suggested"]["over_prudence"])
