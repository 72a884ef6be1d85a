"""Tables of the demo's committed results in the documentation are those of their documents."""

import json

import pytest
from tests.committed import RESULTS, ROOT, benchmark, shown

from unmirage.text.formatting import with_interval

TABLES = [
    ("demo", "docs/demo.md", "signal-0"),
    ("demo_signal_1", "docs/demo.md", "signal-1"),
    ("decoder", "docs/demo.md", "decoder"),
]


def committed(name):
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "page", "marker"), TABLES)
def test_the_page_has_the_table_of_the_document(name, page, marker):
    assert shown(page, marker) == benchmark("demo_table").markdown(committed(name)["results"]).strip()


def test_the_text_on_the_world_with_a_decoder_has_its_figures():
    document = committed("decoder")
    assert document["changed_files"] == 0
    assert document["results"]["seeds"] == [0, 1]
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    for name, text in (
        (
            "sft-posthoc",
            "{before} % of the unsafe queries as they are and {after} after the attack (control {control} %)",
        ),
        ("npo-mixed", "NPO {before} and {after} (control {control} %)"),
    ):
        asr = document["results"]["models"][name]["asr"]
        after = with_interval(*(asr["after"][part] for part in ("value", "low", "high"))).replace(" [", " % [")
        before, control = (f"{100 * asr[part]['value']:.1f}" for part in ("before", "control"))
        assert text.format(before=before, after=after, control=control) in readme
