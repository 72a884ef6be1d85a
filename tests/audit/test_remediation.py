import pytest

from unmirage.audit import AuditOptions, audit
from unmirage.audit.remediation import with_comparison, with_remedies
from unmirage.data import open_samples, writer_for
from unmirage.errors import UserError


def mended(data, folder, *names):
    files = {name: folder / f"{name}.jsonl" for name in names}
    return with_remedies(
        audit(data), data, files, lambda path: writer_for(path, data.format), open_samples, AuditOptions()
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
