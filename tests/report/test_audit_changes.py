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
        "Dropped": [("–", ""), ("600", ""), ("0", "")],
        "Reworded": [("–", ""), ("0", ""), ("812", "")],
        "No other wording": [("–", ""), ("0", ""), ("7", "")],
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


def test_twins_repeats_and_weights_have_rows_where_a_remedy_has_them(full_audit):
    more = {
        "weighted": {
            "n": 1000, "refused": 600,
            "weights": {"refused": 0.5, "zero": 120, "capped": 30, "largest": 10.0, "effective": 411.6},
        },
        "twins": {"n": 1400, "refused": 700, "added": 400, "missing": 3, "unchanged_wording": 5, "lost_places": 2},
    }  # fmt: skip
    audit = AuditResult.read(full_audit | {"remedies": more})
    rows = figures(remedies(audit, audit.remedies).counts)
    values = {name: [value for value, _ in cells] for name, cells in rows.items()}
    assert {name: value for name, value in values.items() if name in list(values)[2:-3]} == {
        "Dropped": ["–", "0", "0"],
        "Reworded": ["–", "0", "0"],
        "Added as twins": ["–", "0", "400"],
        "Twins missing": ["–", "0", "3"],
        "No other wording": ["–", "0", "3"],
        "Picture place lost": ["–", "0", "2"],
        "Refused weight": ["–", "50.0%", "–"],
        "Weight 0 (one label)": ["–", "120", "–"],
        "Weight limited": ["–", "30", "–"],
        "Largest weight": ["–", "10.0", "–"],
        "Effective queries": ["–", "412", "–"],
    }
