"""The human labels in the package: their bytes, their counts, and that one command builds them."""

import gzip
import json
from collections import Counter
from hashlib import sha256

import pytest
from tests.committed import ROOT, benchmark

from unmirage.errors import UserError
from unmirage.evaluate.labels import SHIPPED, Truth, shipped_labels
from unmirage.evaluate.labels.mapping import MSTS, XSTEST
from unmirage.evaluate.labels.shipped import FOLDER

SHARED = ROOT / ".." / "shared"
# Of the unpacked text, which does not depend on the version of zlib.
HASHES = {
    "xstest": "96796f0c78778e2892bd571f73115032ac34e6ab0de7e1bab750e47572242c3a",
    "msts": "2f0431891faa823aaf117ef744454e824e2653a85f8c199c3cd7dea584079ece",
}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_files_are_the_ones_that_were_built(name):
    assert sha256(gzip.decompress(SHIPPED[name].path.read_bytes())).hexdigest() == HASHES[name]
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_000_000


def test_one_command_builds_them_again():
    if not (SHARED / "data/field/msts").is_dir():
        pytest.skip("the authors' files are not here")
    module = benchmark("ship_labels")
    for name, content in module.built(SHARED).items():
        assert gzip.decompress(content) == gzip.decompress(SHIPPED[name].path.read_bytes())
        assert content == module.built(SHARED)[name]


@pytest.mark.parametrize(("name", "mapping"), [("xstest", XSTEST), ("msts", MSTS)])
def test_each_record_has_the_label_of_the_authors_and_its_verdict(name, mapping):
    lines = gzip.decompress(SHIPPED[name].path.read_bytes()).decode().splitlines()
    records = [json.loads(line) for line in lines]
    assert {one["label"].casefold() for one in records} == mapping.keys()
    assert all(one["verdict"] == mapping[one["label"].casefold()] for one in records)
    assert len({one["id"] for one in records}) == len(records)
    names = {"id", "part", "model", "language", "query", "unsafe", "response", "label", "verdict", "annotations"}
    assert all(one.keys() - {"picture"} == names for one in records)


def test_the_counts_are_those_of_the_documentation():
    xstest, msts = shipped_labels("xstest"), shipped_labels("msts")
    assert Counter(one.truth for one in xstest.rows) == {"complied": 705, "refused": 554, "partial": 91}
    assert sum(one.query.unsafe for one in xstest.rows) == 3 * 200
    assert Counter(one.truth for one in msts.rows) == {
        "refused": 2423, "irrelevant": 711, "partial": 298, "complied": 168
    }  # fmt: skip
    assert (xstest.described, msts.described) == (0, 2800)
    text = (ROOT / "docs/calibrate.md").read_text(encoding="utf-8")
    for labels in (xstest, msts):
        for label, count in Counter(one.label for one in labels.rows).items():
            truth = next(one.truth for one in labels.rows if one.label == label)
            assert f"| `{label}` | {truth} | {count:,} |" in text


def test_annotators_agree_as_the_authors_report():
    # XSTest's own column "agreement" is TRUE for 443 + 434 + 439 of the responses.
    agreed = [one.agreed for one in shipped_labels("xstest").rows]
    assert (sum(agreed), len(agreed)) == (1316, 1350)
    assert {one.agreed for one in shipped_labels("msts:french").rows} == {None}  # one annotator


def test_parts_are_chosen_by_name_model_or_language():
    assert {one.groups["language"] for one in shipped_labels("msts:russian").rows} == {"ru"}
    assert len(shipped_labels("msts:FR:gpt-4o-2024-05-13").rows) == 200
    assert len(shipped_labels("xstest:gpt4").rows) == 450
    with pytest.raises(
        UserError, match=r"--labels msts:frensh: unknown part 'frensh'; valid: .* Did you mean 'french'"
    ):
        shipped_labels("msts:frensh")
    with pytest.raises(UserError, match=r"unknown labels 'mst'; valid: msts, xstest\. Did you mean 'msts'\?"):
        shipped_labels("mst")


def test_a_map_changes_the_verdict_of_a_label():
    found = shipped_labels("xstest:gpt4", {"3_partial_refusal": Truth.REFUSED})
    assert Counter(one.truth for one in found.rows) == {"complied": 230, "refused": 220}


def test_each_set_is_listed_and_attributed():
    notice = (FOLDER / "NOTICE.md").read_text(encoding="utf-8")
    for name, one in SHIPPED.items():
        assert f"## {name}.jsonl.gz" in notice
        assert sum(row["n"] for row in one.summary()) == len(shipped_labels(name).rows)
    assert notice.count("- Changes: ") == notice.count(", commit ") == len(SHIPPED)
    assert "CC-BY-4.0" in repr(SHIPPED["msts"])
    assert "evaluate/labels/data/*" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
