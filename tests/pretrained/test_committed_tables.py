"""Tables of committed studies in the documentation are those of their documents, and show what the text claims."""

from dataclasses import replace

import pytest
from tests.committed import RESULTS, benchmark, shown

import unmirage as um
from unmirage.evaluate.unlearning_settings import UnlearningSettings
from unmirage.pretrained.settings import PretrainedSettings, searched
from unmirage.workflows.unlearning_study import markdown

TABLES = [
    ("pretrained", "short", "README.md", "pretrained"),
    ("pretrained", "full", "docs/pretrained.md", "pretrained"),
    ("pretrained_unlearning", "rates", "docs/pretrained.md", "pretrained-unlearning"),
    ("pretrained_curve", "curve", "docs/pretrained.md", "pretrained-curve"),
]


@pytest.fixture(scope="module")
def script():
    return benchmark("pretrained_table")


def committed(name):
    return um.PretrainedStudy.load(RESULTS / f"{name}.json")


@pytest.mark.parametrize(("name", "part", "page", "marker"), TABLES)
def test_the_page_has_the_table_of_the_document(script, name, part, page, marker):
    assert shown(page, marker) == script.PARTS[part](committed(name)).strip()


def test_the_page_has_the_table_of_the_search():
    assert (
        shown("docs/unlearning.md", "unlearning")
        == markdown(UnlearningSettings.load(RESULTS / "unlearning_settings.json")).strip()
    )


def test_the_built_in_settings_are_those_of_the_search():
    chosen, without = searched(UnlearningSettings.load(RESULTS / "unlearning_settings.json"))
    built_in = PretrainedSettings()
    assert chosen == {"npo": built_in.npo, "rmu": built_in.rmu}
    assert without == {}


def test_a_method_that_was_not_searched_is_left_out_for_that_reason():
    found = UnlearningSettings.load(RESULTS / "unlearning_settings.json")
    npo_alone = replace(found, chosen={name: one for name, one in found.chosen.items() if name != "rmu"})
    chosen, without = searched(npo_alone)
    assert set(chosen) == {"npo"}
    assert without == {"rmu": "the search has no candidate of rmu; run `study unlearning` with --methods rmu"}
    nothing_kept = replace(found, chosen=dict(found.chosen, rmu=None))
    assert "found no setting" in searched(nothing_kept)[1]["rmu"]


def test_a_larger_share_of_rewordings_leaves_less_of_the_shortcut_and_of_refusals():
    rows = {row.name: row.wordings["ours"].rates for row in committed("pretrained_curve").models}
    shares = [rows[name] for name in ("sft-posthoc", *(f"sft-diversified{one}" for one in ("-25", "-50", "-75", "")))]
    for rate in ("asr_after", "rr_after", "refused_unsafe_before"):
        values = [one[rate].value for one in shares]
        assert values == sorted(values, reverse=True), rate
    assert shares[3]["refused_unsafe_before"].value >= 0.9 > shares[4]["refused_unsafe_before"].value


def test_unlearning_keeps_relevance_as_the_text_says():
    rows = {row.name: row for row in committed("pretrained_unlearning").models}
    base = rows["base"].relevance.value
    for name in ("npo", "rmu"):
        assert abs(rows[name].relevance.value - base) < 0.05
        assert rows[name].wordings["ours"].rates["degenerate"].value < 0.5


def test_a_short_table_has_one_row_per_model_with_both_wordings(script):
    document = committed("pretrained")
    lines = script.short(document).splitlines()
    assert len(lines) == 2 + len(document.models)
    row = next(one for one in document.models if one.name == "sft-posthoc")
    cells = next(line for line in lines if line.startswith("| `sft-posthoc` ")).strip("| ").split(" | ")
    after = row.wordings["given"].rates["asr_after"]
    assert cells[3] == f"{100 * after.value:.1f} [{100 * after.low:.0f}–{100 * after.high:.0f}]"
