import pytest

from unmirage.audit import AuditResult
from unmirage.documents import parsed
from unmirage.records import Finding
from unmirage.report.audit_findings import finding_rows, kind_of, kinds_of, says


def finding(feature="share", position="any", **changes):
    return parsed(
        Finding,
        {"feature": feature, "position": position, "refused": 1, "answered": 1, "log_odds": 0.0,
         "low": 0.0, "high": 0.0, "q_value": 0.1, "direction": "none"}
        | changes
    )  # fmt: skip


@pytest.mark.parametrize(
    ("position", "said"),
    [
        ("opener", "open with “share”"),
        ("any", "contain “share”"),
        (1, "have “share” as their second word"),
        (-1, "have “share” as their last word"),
        (7, "have “share” as their +7. word"),
    ],
)
def test_older_findings_complete_the_sentence_too(position, said):
    assert says(finding(position=position)) == said


def test_a_finding_that_brings_its_text_is_left_alone():
    assert says(finding(text="end without a question mark")) == "end without a question mark"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"kind": "template"}, "template"),
        ({"position": "image"}, "image"),
        ({"feature": "can you"}, "ngram"),
        ({"kind": "<script>"}, "word"),
        ({}, "word"),
    ],
)
def test_every_finding_has_a_kind_that_the_page_knows(changes, kind):
    assert kind_of(finding(**changes)) == kind


@pytest.mark.parametrize(
    ("position", "said"),
    [
        ("opener", "redundant with opener “can”"),
        ("any", "redundant with “can”"),
        (-1, "redundant with “can” as last word"),
    ],
)
def test_a_redundant_feature_names_the_other(position, said):
    (row,) = finding_rows([finding(redundant_with={"feature": "can", "position": position})])
    assert row.redundant == said


def test_rows_keep_the_order_and_name_the_kinds_that_occur(full_audit):
    rows = finding_rows(AuditResult.read(full_audit, "audit.json").findings[:4])
    assert [row.redundant for row in rows] == ["", "redundant with opener “share”", "", ""]
    assert kinds_of(rows) == {"word": "words", "ngram": "n-grams"}


def test_a_word_of_a_megabyte_is_cut():
    row = finding_rows(
        [finding(feature="x" * 1_000_000, redundant_with={"feature": "y" * 1_000_000, "position": "any"})]
    )[0]
    assert len(row.says) < 60
    assert len(row.redundant) < 60
