import json

import numpy as np
import pytest

from unmirage.audit import AuditOptions, audit
from unmirage.audit.compare import RemedyOutcome
from unmirage.audit.remediation import _warnings, drawn_by_weight, with_comparison, with_remedies
from unmirage.data import open_samples, writer_for
from unmirage.data.written import rows_of
from unmirage.errors import UserError
from unmirage.records import Turn


def mended(data, folder, *names, suffix=".jsonl", settings=None, test=None):
    files = {name: folder / f"{name}{suffix}" for name in names}
    return with_remedies(
        audit(data, test),
        data,
        files,
        lambda path: writer_for(path, data.format),
        open_samples,
        AuditOptions(),
        settings,
        test,
    )


def test_remedies_are_written_read_back_and_audited_again(tied, tmp_path):
    result = mended(tied, tmp_path, "balanced", "diversified")
    balanced, diversified = result.remedies["balanced"], result.remedies["diversified"]
    assert result.shortcut_gap > 0.2
    assert (balanced.file, balanced.n, balanced.refused, balanced.dropped) == ("balanced.jsonl", 80, 40, 120)
    assert (diversified.file, diversified.n, diversified.refused) == ("diversified.jsonl", 200, 100)
    assert (diversified.dropped, diversified.changed, diversified.unchanged_wording) == (0, 120, 0)
    for outcome in (balanced, diversified):
        assert outcome.predictability["opener"].test <= 0.55
        assert outcome.shortcut_gap == pytest.approx(
            outcome.predictability["opener"].test - outcome.predictability["opener"].baseline
        )
    assert audit(open_samples(tmp_path / "balanced.jsonl")).predictability == balanced.predictability


def test_only_the_remedies_that_are_asked_for_are_made(tied, tmp_path):
    assert list(mended(tied, tmp_path, "balanced").remedies) == ["balanced"]
    assert [path.name for path in tmp_path.iterdir()] == ["balanced.jsonl"]


def test_a_remedy_that_cannot_be_made_names_the_file(make_dataset, tmp_path):
    data = make_dataset(*[("Share it", True)] * 9, *[("What is it", False)] * 9)
    with pytest.raises(UserError, match=r"toy\.json: no opener has both refused and answered queries"):
        mended(data, tmp_path, "balanced")
    assert not list(tmp_path.iterdir())


def test_all_versions_are_measured_on_the_test_file(tied, make_dataset, tmp_path):
    rows = [(f"Share kite {n}.", True) for n in range(30)] + [(f"What is kite {n}?", False) for n in range(10)]
    test = make_dataset(*rows)
    result = mended(tied, tmp_path, "balanced", "diversified", "weighted", "twins", test=test)
    for outcome in result.remedies.values():
        assert (outcome.informedness.refused, outcome.informedness.answered) == (30, 10)
        assert abs(outcome.informedness.value) < 0.05
    assert result.informedness.value == 1
    compared = with_comparison(result, test, AuditOptions(), test).compare
    assert (compared.informedness.refused, compared.informedness.answered) == (30, 10)


def test_weights_are_written_and_their_audit_follows_them(tied, tmp_path):
    outcome = mended(tied, tmp_path, "weighted").remedies["weighted"]
    weights = [json.loads(line)["weight"] for line in (tmp_path / "weighted.jsonl").read_text().splitlines()]
    assert weights == [0.0] * 120 + [1.0] * 80
    assert (outcome.n, outcome.refused, outcome.dropped) == (200, 100, 0)
    found = outcome.weights
    assert (found.refused, found.zero, found.capped, found.largest) == (0.5, 120, 0, 1.0)
    assert found.effective == pytest.approx(80)
    assert outcome.informedness.refused == outcome.informedness.answered == 40
    assert outcome.notes == (
        "weighs only 80 of 200 queries and the effective sample size is only 80. "
        "--write-twins uses all queries; --weighted-refused sets the ratio",
    )


def test_rows_are_drawn_in_proportion_to_their_weights():
    weights = np.array([0.0, 0.5, 1.5, 2.25, 0.75])
    drawn = np.array([drawn_by_weight(weights, seed) for seed in range(400)])
    expected = weights * 4 / 5
    assert (drawn.sum(axis=1) == 4).mean() > 0.99 or set(drawn.sum(axis=1)) <= {4, 5}
    assert (np.abs(drawn - expected) < 1).all()
    assert drawn.mean(axis=0) == pytest.approx(expected, abs=0.08)


@pytest.mark.parametrize(
    ("refused", "note"),
    [
        (0.8, None),
        (0.81, "81.0% of its 100 queries are refused (of the original: 50.0%)"),
        (0.19, "81.0% of its 100 queries are answered (of the original: 50.0%)"),
    ],
)
def test_a_one_sided_version_is_warned_about(tied, refused, note):
    outcome = RemedyOutcome(n=100, refused=round(100 * refused))
    said = list(_warnings("balanced", outcome, audit(tied)))
    assert [one.partition(". ")[0] for one in said] == ([note] if note else [])


@pytest.mark.parametrize(("n", "small"), [(100, False), (99, True)])
def test_a_version_of_less_than_half_is_warned_about(tied, n, small):
    said = list(_warnings("balanced", RemedyOutcome(n=n, refused=n // 2), audit(tied)))
    assert bool(said) == small
    if small:
        assert said[0].startswith("keeps only 99 of 200 queries. --write-twins keeps all queries; --balanced-size")


def test_every_field_of_the_records_is_kept(tmp_path):
    rows = [
        {"query": f"Share it {n}.", "refused": True, "answer": "No.", "score": n, "system": "Be kind.", "category": "x"}
        for n in range(20)
    ]
    rows += [{"query": f"What is it {n}?", "refused": False, "score": -n, "tags": [n]} for n in range(20)]
    rows += [{"query": f"Name it {n}.", "refused": n < 2, "score": n} for n in range(4)]
    (tmp_path / "data.json").write_text(json.dumps(rows))
    data = open_samples(tmp_path / "data.json")
    mended(data, tmp_path, "diversified", "weighted", "twins")
    for name in ("diversified", "weighted", "twins"):
        file = open_samples(tmp_path / f"{name}.jsonl")
        found = [(one.sample, one.others) for one in rows_of(file)]
        own = [one for one in found if "~twin~" not in one[0].id]
        assert [others.get("score") for _, others in own] == [row["score"] for row in rows]
        assert [sample.context for sample, _ in own][19:21] == [(Turn("system", "Be kind."),), ()]
        assert [others.get("tags") for _, others in own] == [row.get("tags") for row in rows]
        twins = [one for one in found if "~twin~" in one[0].id]
        assert bool(twins) == (name == "twins")
        for sample, others in twins:
            source = rows[int(others["provenance"]["reworded_from"]) - 1]
            assert (others["score"], sample.refused) == (source["score"], source["refused"])


def test_a_shape_that_cannot_hold_a_row_is_noted(tmp_path):
    rows = [
        {"id": str(n), "conversations": [{"from": "human", "value": query}, {"from": "gpt", "value": "I cannot."}]}
        for n, query in enumerate([f"Share it {n}." for n in range(20)])
    ]
    talk = ["What is it?", "It is.", "What is that?", "That is."]
    turns = [{"from": ("human", "gpt")[n % 2], "value": text} for n, text in enumerate(talk)]
    rows += [{"id": f"m{n}", "conversations": turns} for n in range(10)]
    (tmp_path / "data.json").write_text(json.dumps(rows))
    data = open_samples(tmp_path / "data.json")
    outcome = mended(data, tmp_path, "diversified", suffix=".json").remedies["diversified"]
    assert outcome.notes == ("written as a flat list, because llava cannot hold field 'record' of sample 'm0/1'",)
    assert [one.context for one in open_samples(tmp_path / "diversified.json")] == [one.context for one in data]


def test_another_version_is_set_beside_the_audit(tied, make_dataset):
    rows = [(sample.query, sample.refused) for sample in tied if not sample.query.startswith("Share")]
    other = make_dataset(*rows, *[(f"Tell it now {n}", True) for n in range(60)])
    compared = with_comparison(audit(tied), other, AuditOptions()).compare
    assert (compared.source, compared.n, compared.refused) == ("toy.json", 200, 100)
    gone = {(finding.feature, finding.position) for finding in compared.gone}
    new = {(finding.feature, finding.position) for finding in compared.new}
    assert ("share", "opener") in gone
    assert ("tell", "opener") in new
    assert ("what", "opener") not in gone | new
    assert (compared.gone_n, compared.new_n) == (len(gone), len(new))


def test_the_same_data_differ_in_nothing_and_long_lists_are_cut(tied, make_dataset, monkeypatch):
    result = audit(tied)
    same = with_comparison(result, tied, AuditOptions()).compare
    assert (same.gone, same.new) == ((), ())
    assert same.predictability == result.predictability
    monkeypatch.setattr("unmirage.audit.remediation.MOST_LISTED", 1)
    other = make_dataset(*((f"It is {n}", n % 2 == 0) for n in range(20)))
    cut = with_comparison(result, other, AuditOptions()).compare
    assert len(cut.gone) == 1
    assert cut.gone_n > 1
