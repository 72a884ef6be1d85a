import copy
import json

import pytest

from unmirage.audit import AuditResult
from unmirage.errors import UserError

NEEDED = {
    "schema", "n", "refused", "label_source", "predictability", "shortcut_gap", "findings", "suggested",
}  # fmt: skip


def test_what_is_written_is_read(audit_document):
    assert AuditResult.read(audit_document).n == audit_document["n"]


def test_every_field_is_read(full_audit):
    audit = AuditResult.read(full_audit)
    assert audit.findings[1].redundant_with.feature == "share"
    assert audit.findings[3].given_opener.high == 1.7
    assert audit.languages.beyond() == "412 of 1,000 queries are German"
    assert audit.decided_by_opener.openers[0].opener_right == 60
    assert audit.attack_words.jailbreak[0].flips.k == 186
    assert audit.remedies["diversified"].changed == 812
    assert audit.remedies["diversified"].unchanged_wording == 7
    assert audit.compare.gone[0].text == "open with “share”"
    assert (audit.compare.gone_n, audit.compare.new_n) == (112, 0)
    assert (audit.pictures.looked_at, audit.pictures.sampled) == (40, True)
    assert audit.predictability["opener"].gap == pytest.approx(0.3)


def test_what_an_older_document_lacks_may_be_missing_or_null(full_audit):
    missing = {key: value for key, value in full_audit.items() if key in NEEDED}
    null = full_audit | dict.fromkeys(full_audit.keys() - NEEDED)
    assert AuditResult.read(missing) == AuditResult.read(null)
    for finding in missing["findings"]:
        for key in ("kind", "text", "given_opener", "redundant_with", "examples"):
            finding[key] = None
    read = AuditResult.read(missing)
    assert (read.findings[0].text, read.findings[0].examples.refused) == ("", ())
    assert not any(one.headline for one in read.findings)
    assert (read.openers, read.pictures, read.remedies, read.compare) == ((), None, {}, None)


def test_a_wrong_field_is_named(full_audit):
    broken = copy.deepcopy(full_audit)
    broken["findings"][0]["refused"] = -1
    with pytest.raises(UserError, match=r"a\.json: findings\.0\.refused: .* \(schema unmirage\.audit/3\)"):
        AuditResult.read(broken, "a.json")
    with pytest.raises(UserError, match=r"predictability: Input should be an object"):
        AuditResult.read(full_audit | {"predictability": None})
    with pytest.raises(UserError, match=r"a\.json: findings\.0\.refused: "):
        AuditResult.read(broken | {"probes": None}, "a.json")
    with pytest.raises(UserError, match=r"decided_by_opener\.value: .* less than or equal to 1"):
        AuditResult.read(full_audit | {"decided_by_opener": full_audit["decided_by_opener"] | {"value": 5.0}})


@pytest.mark.parametrize("document", [None, [], "text", {}])
def test_what_is_no_audit_is_said_to_be_none(document):
    with pytest.raises(UserError, match=r"schema is missing; valid: 'unmirage\.audit/3'"):
        AuditResult.read(document)


def test_lone_surrogates_are_read_as_they_are_written(full_audit):
    full_audit["openers"][0]["opener"] = json.loads('"\\ud800"')
    assert AuditResult.read(full_audit).openers[0].opener == "?"


def test_a_document_of_an_older_version_is_refused(full_audit):
    with pytest.raises(
        UserError, match=r"old\.json: schema is 'unmirage\.audit/2'; valid: 'unmirage\.audit/3', written by"
    ):
        AuditResult.read(full_audit | {"schema": "unmirage.audit/2"}, "old.json")
