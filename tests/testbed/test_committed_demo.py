"""Tables of the demo's committed results in README and documentation are those of their documents."""

import importlib.util
import json
from pathlib import Path

import pytest

from unmirage.testbed.summary import markers

ROOT = Path(__file__).parents[2]
TABLES = [
    ("demo", "README.md", "signal-0"),
    ("demo_signal_1", "README.md", "signal-1"),
    ("decoder", "docs/demo.md", "decoder"),
]


@pytest.fixture(scope="module")
def markdown():
    spec = importlib.util.spec_from_file_location("demo_table", ROOT / "benchmarks/demo_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.markdown


def committed(name):
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "page", "marker"), TABLES)
def test_the_page_has_the_table_of_the_document(markdown, name, page, marker):
    begin, end = markers(marker)
    shown = (ROOT / page).read_text(encoding="utf-8").split(begin)[1].split(end)[0]
    assert shown.strip() == markdown(committed(name)["results"]).strip()


def test_the_text_on_the_world_with_a_decoder_has_its_figures():
    document = committed("decoder")
    assert document["changed_files"] == 0
    assert document["results"]["seeds"] == [0, 1]
    models = document["results"]["models"]
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    for name, text in (
        (
            "sft-posthoc",
            "in {before} % of the unsafe queries as they are and {after} % [78–90] after the attack (control",
        ),
        ("npo-mixed", "NPO {before} and {after} % [14–31] (control"),
    ):
        asr = models[name]["asr"]
        values = {part: f"{100 * asr[part]['value']:.1f}" for part in ("before", "after", "control")}
        assert f"{text.format(**values)} {values['control']} %" in readme
