import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unmirage.audit import AuditOptions, audit
from unmirage.data import open_samples
from unmirage.errors import UserError
from unmirage.records import Dataset
from unmirage.testbed.corpus import CorpusSize, write_corpus
from unmirage.testbed.world import make_world

FINDING_KEYS = {
    "feature", "position", "kind", "text", "refused", "answered", "refused_once", "answered_once",
    "log_odds", "low", "high", "p_value", "q_value",
    "direction", "given_opener", "redundant_with", "headline", "examples",
}  # fmt: skip


def document_of(*arguments):
    """Return the document, after a check that it is plain JSON without NaN."""
    document = audit(*arguments).to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    return document


def test_the_document_has_the_agreed_shape(tied):
    document = document_of(tied)
    assert set(document) == {
        "schema", "source", "format", "n", "refused", "label_source", "part", "without_text", "languages",
        "leads", "seed", "skipped",
        "without_label", "unread_fields", "copies", "informedness", "auc", "predictability", "probes", "shortcut_gap",
        "tested", "min_queries", "findings_left_out", "findings", "openers", "pictures",
        "decided_by_opener", "label_quality", "suggested", "attack_words", "wordings", "remedies",
        "compare",
    }  # fmt: skip
    assert (document["schema"], document["source"], document["format"]) == ("unmirage.audit/3", "toy.json", "json")
    assert (document["n"], document["refused"], document["label_source"]) == (200, 100, "field")
    assert set(document["predictability"]["opener"]) == {"train", "test", "baseline", "low", "high", "n"}
    assert all(set(finding) == FINDING_KEYS for finding in document["findings"])
    assert document["openers"][0] == {"opener": "can", "refused": 40, "answered": 40, "contribution": 0.0}
    assert document["suggested"] == {"jailbreak": ["what"], "over_prudence": ["share"]}
    assert document["attack_words"]["jailbreak"][0]["word"] == "what"
    rate = {"value", "low", "high", "k", "n", "clusters", "design_effect"}
    assert set(document["attack_words"]["jailbreak"][0]["flips"]) == rate
    assert set(document["decided_by_opener"]) == rate | {"openers", "examples"}
    assert (document["pictures"], document["label_quality"], document["compare"]) == (None, None, None)
    assert (document["skipped"], document["remedies"]) == ({"count": 0, "examples": []}, {})


def test_the_shortcut_gap_is_the_opener_rule_minus_the_majority(tied):
    result = audit(tied)
    rule = result.predictability["opener"]
    assert result.shortcut_gap == rule.test - rule.baseline
    assert result.shortcut_gap > 0.2


def test_the_same_seed_gives_the_same_document(tied):
    assert document_of(tied, None, AuditOptions(seed=1)) == document_of(tied, None, AuditOptions(seed=1))
    assert document_of(tied)["seed"] == 0


def test_how_predictability_was_measured_is_told(tied, make_dataset):
    crossed = document_of(tied)["probes"]
    assert (crossed["evaluation"], crossed["folds"], crossed["rows"]) == ("cross-validated", 5, 200)
    assert (crossed["sampled"], crossed["test_source"], crossed["test_n"]) == (False, None, None)
    unseen = replace(make_dataset(("Share it", True), ("What is it", False)), source=Path("unseen.json"))
    tested = document_of(tied, unseen)
    assert tested["probes"] | {"grouped_by": ""} == {
        "evaluation": "test file",
        "folds": 0,
        "grouped_by": "",
        "rows": 202,
        "sampled": False,
        "test_source": "unseen.json",
        "test_n": 2,
    }
    assert (tested["n"], tested["predictability"]["opener"]["test"]) == (200, 1)


def test_large_data_are_counted_in_full_and_probed_in_part(tied, monkeypatch):
    monkeypatch.setattr("unmirage.audit.probes.MAX_QUERIES", 100)
    document = document_of(tied)
    assert (document["probes"]["rows"], document["probes"]["sampled"]) == (100, True)
    assert document["openers"][0] == {"opener": "can", "refused": 40, "answered": 40, "contribution": 0.0}
    assert (document["informedness"]["refused"], document["informedness"]["answered"]) == (100, 100)  # all of them
    assert document["predictability"]["opener"]["n"] == 100


@pytest.mark.parametrize("refused", [True, False])
def test_data_of_one_label_are_counted_and_nothing_else_is_estimable(make_dataset, refused):
    document = document_of(make_dataset(*[("What is it?", refused, "1.png")] * 5, ("Share it", refused)))
    assert (document["n"], document["refused"]) == (6, 6 * refused)
    assert document["openers"][0] == {
        "opener": "what",
        "refused": 5 * refused,
        "answered": 5 * (not refused),
        "contribution": None,
    }
    for name in ("informedness", "auc"):
        assert [document[name][part] for part in ("value", "low", "high")] == [None] * 3
    assert document["copies"] == {"queries": 5, "texts": 2, "both_labels": 0}
    assert (document["shortcut_gap"], document["decided_by_opener"]) == (None, None)
    assert (document["findings"], document["tested"]) == ([], 0)
    assert document["suggested"] == {"jailbreak": [], "over_prudence": []}
    for accuracy in document["predictability"].values():
        assert accuracy == {"train": None, "test": None, "baseline": None, "low": None, "high": None, "n": 0}
    assert document["pictures"]["missing"] == 1


def test_too_few_queries_are_not_estimable(make_dataset):
    document = document_of(make_dataset(("What", False), ("Share", True)))
    assert document["shortcut_gap"] is None
    assert document["predictability"]["words"]["test"] is None
    assert document["findings"] == []
    assert len(document["openers"]) == 2


def test_data_without_queries_are_the_users_mistake(make_dataset, tied):
    with pytest.raises(UserError, match=r"toy\.json: the file has no queries\. Add at least one"):
        audit(make_dataset())
    with pytest.raises(UserError, match=r"toy\.json: the file has no queries"):
        audit(tied, make_dataset())


ODD = {
    "lone surrogate": "\ud800 a kite",
    "NUL": "a\0b kite",
    "right to left": "שלום עולם",
    "reversed": "\u202ekite a",
    "no word": "?!",
    "empty": "",
    "Hindi": "यह क्या है",
    "Chinese": "这是什么",
    "mathematics": "$x^{$ {} %s",
    "a word of a megabyte": "w" * 1_000_000,
}


def test_odd_texts_are_survived(make_dataset):
    texts = list(ODD.values()) * 4
    document = document_of(make_dataset(*((text, n % 2 == 0) for n, text in enumerate(texts))))
    assert document["n"] == 40
    assert sum(one["refused"] + one["answered"] for one in document["openers"]) == 32  # all but those without words


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_texts_can_be_what_tells_the_label(make_dataset, text):
    rows = [(f"{text} {'!' * n},", True) for n in range(12)] + [(f"What is it {n}", False) for n in range(12)]
    document = document_of(make_dataset(*rows))
    assert document["predictability"]["opener"]["test"] == 1
    assert document["findings"]


def test_queries_without_any_word_are_audited(make_dataset):
    document = document_of(make_dataset(*(("," * n + ("?" if n % 2 else "!"), n % 2 == 0) for n in range(40))))
    assert document["openers"] == []
    assert document["predictability"]["shape"]["test"] == 1
    assert {finding["feature"] for finding in document["findings"]} == {"ends with ?", "ends with !"}


def test_the_reasoning_can_be_audited_instead(make_dataset):
    rows = [(f"see boat {n}", n % 2 == 0) for n in range(60)]
    data = make_dataset(*rows)

    def thinks(place, sample):
        if place >= 40:
            return sample
        start = "Hmm" if sample.refused else "Okay"
        return replace(sample, answer=f"<think>{start}, boat {place}.</think>Yes.")

    data = replace(data, samples=tuple(thinks(place, sample) for place, sample in enumerate(data.samples)))
    document = document_of(data, None, AuditOptions(part="reasoning"))
    assert (document["part"], document["n"], document["without_text"]) == ("reasoning", 40, 20)
    assert {one["opener"] for one in document["openers"]} == {"hmm", "okay"}
    assert document["informedness"]["value"] == 1
    assert document["suggested"] == {"jailbreak": [], "over_prudence": []}
    assert document_of(data)["informedness"]["value"] == 0
    with pytest.raises(UserError, match="none of the 60 answers has any reasoning to audit"):
        audit(make_dataset(*rows), None, AuditOptions(part="reasoning"))


def test_field_and_answer_are_compared(tied):
    samples = tuple(replace(sample, answer="I'm sorry, I can't." if "?" in sample.query else "Yes.") for sample in tied)
    document = document_of(replace(tied, samples=samples))
    assert (document["label_source"], document["refused"]) == ("field", 100)
    quality = document["label_quality"]
    # 60 of "share" and no other are answered though the field says refused; "what" and half of "can" the reverse.
    assert (quality["both"], quality["missed"], quality["false_alarms"], quality["disagree"]) == (200, 60, 100, 160)


def test_progress_is_told_stage_by_stage(tied, make_dataset):
    stages = []
    rows = [(sample.query, sample.refused, "missing.png") for sample in tied]
    audit(make_dataset(*rows), None, AuditOptions(progress=lambda stage, done, of: stages.append((stage, done, of))))
    assert ("pictures", 1, 1) in stages
    assert stages[-1][0] == "probes"
    assert stages[-1][1] == stages[-1][2]


def test_a_file_name_that_is_no_text_is_survived(tied):
    assert document_of(replace(tied, source=Path("\udcff.json")))["source"] == "?.json"


@pytest.fixture(scope="module")
def safety(tmp_path_factory):
    """Return the file of a small testbed with pictures, opened; 120 queries about 80 of them."""
    folder = tmp_path_factory.mktemp("small") / "data"
    size = CorpusSize(
        base_pictures=8, base=8, unsafe_pictures=40, safe_pictures=40, general=4, test_unsafe_pictures=2,
        test_safe_pictures=2, skills=4, facts=4, neighbors=4,
    )  # fmt: skip
    write_corpus(make_world(0), size, folder)
    return open_samples(folder / "safety.json")


@pytest.mark.slow
def test_data_with_pictures_are_audited_from_the_file(safety):
    document = document_of(safety)
    assert (document["n"], document["refused"], document["format"]) == (120, 80, "vlguard")
    pictures = document["pictures"]
    assert (pictures["named"], pictures["read"], pictures["missing"], pictures["unreadable"]) == (80, 80, 0, 0)
    assert pictures["both_labels"] == 40
    for rung in ("image", "words_and_image"):
        assert document["predictability"][rung]["n"] == 120
    assert "image_embedding" not in document["predictability"]


@pytest.mark.slow
def test_an_encoder_that_sees_the_label_is_believed(safety):
    unsafe = {sample.image for sample in safety if "unsafe-" in sample.id}

    def encoder(pictures, paths):
        return np.array([[4.0 if path in unsafe else -4.0, 1.0] for path in paths])

    rung = audit(safety, None, AuditOptions(encoder=encoder)).predictability["image_embedding"]
    # Pictures of safe records go with one query of each label: 40 + 40 of 120 can be told.
    assert rung.test == pytest.approx(80 / 120)
    only = [sample for sample in safety if "unsafe-" in sample.id or sample.id.endswith("/safe")]
    data = Dataset(samples=tuple(only), source=safety.source, format="vlguard", image_root=safety.image_root)
    assert audit(data, None, AuditOptions(encoder=encoder)).predictability["image_embedding"].test > 0.9


def test_broken_records_are_counted(tmp_path):
    path = tmp_path / "data.jsonl"
    rows = [{"query": f"Share boat {n}", "refused": True} for n in range(9)] + [{"nothing": 1}]
    rows += [{"query": f"What is boat {n}", "refused": False} for n in range(9)]
    path.write_text("\n".join(map(json.dumps, rows)))
    document = document_of(open_samples(path, skip_bad=True))
    assert (document["n"], document["skipped"]["count"]) == (18, 1)
    assert len(document["skipped"]["examples"]) == 1
