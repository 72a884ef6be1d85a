from unmirage.audit import AuditResult
from unmirage.report.audit_changes import comparison, remedies


def figures(rows):
    return {row.name: [(cell.value, cell.small) for cell in row.cells] for row in rows}


def test_remedies_stand_beside_the_data_as_they_are(full_audit):
    audit = AuditResult.read(full_audit)
    found = remedies(audit, audit.remedies)
    assert [(title.value, title.small) for title in found.titles] == [
        ("Original", ""), ("Balanced", "balanced.json"), ("Diversified", "diversified.json"),
    ]  # fmt: skip
    assert figures(found.counts) == {
        "Queries": [("1,000", ""), ("400", ""), ("1,000", "")],
        "Refused": [("600", "60\u00a0%"), ("300", "75\u00a0%"), ("600", "60\u00a0%")],
        "Queries dropped": [("–", ""), ("600", ""), ("0", "")],
        "Queries rewritten": [("–", ""), ("0", ""), ("812", "")],
        "Unchanged, because no rewrite was found": [("–", ""), ("0", ""), ("7", "")],
        "Informedness of the first word": [("0.78", "0.74–0.81"), ("–", ""), ("0.10", "0.02–0.18")],
        "AUC of the first word": [("0.93", "0.91–0.95"), ("–", ""), ("–", "")],
        "Shortcut gap, points": [("30.0", ""), ("0.0", ""), ("2.0", "")],
    }


def test_rungs_are_compared_by_what_they_add_to_the_majority_of_their_own_version(full_audit):
    audit = AuditResult.read(full_audit)
    rungs = figures(remedies(audit, audit.remedies).rungs)
    assert rungs["the first word"] == [("90.0", "+30.0"), ("74.5", "−0.5"), ("62.0", "+2.0")]
    assert rungs["nothing: always the majority label"] == [("60.0", ""), ("75.0", ""), ("–", "")]
    assert "the image’s file, size and colors" not in rungs  # estimable in none of them


def test_two_versions_are_compared_without_edits(full_audit):
    audit = AuditResult.read(full_audit)
    found = comparison(audit, audit.source, audit.compare, audit.compare.source)
    assert [title.value for title in found.titles] == ["toy.json", "other.json"]
    assert list(figures(found.counts)) == [
        "Queries", "Refused", "Informedness of the first word", "AUC of the first word", "Shortcut gap, points",
    ]  # fmt: skip
    assert figures(found.rungs)["the first word"][1] == ("58.0", "+8.0")


def test_nothing_to_compare(full_audit):
    audit = AuditResult.read(full_audit | {"n": 0, "refused": 0})
    assert remedies(audit, {}) is None
    assert figures(comparison(audit, "a", audit, "b").counts)["Refused"] == [("0", ""), ("0", "")]
