"""The notebooks: the example on the tiny world in place of the demo, and own responses as they are."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from unmirage.data import load_samples
from unmirage.models import HuggingFaceVLM
from unmirage.testbed.corpus import CorpusSize, write_corpus
from unmirage.testbed.vlm import make_model, make_processor
from unmirage.testbed.world import WorldSettings, make_world

DOCS = Path(__file__).parents[1] / "docs"
NOTEBOOK = nbformat.read(DOCS / "example.ipynb", as_version=4)
OWN = nbformat.read(DOCS / "own-responses.ipynb", as_version=4)
LONGEST = 20  # lines of a result
# Large enough for the audit to suggest both words.
WORLD = WorldSettings(aligned=12, validation=4, evaluation=12)
CORPUS = CorpusSize(
    base_pictures=48, base=96, unsafe_pictures=60, safe_pictures=60, general=12, test_unsafe_pictures=6,
    test_safe_pictures=6, skills=3, facts=3, neighbors=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Return a directory with the files of a demo's world that the notebook uses; the models are untrained."""
    root = tmp_path_factory.mktemp("notebook") / "seed-0"
    write_corpus(make_world(0, WORLD), CORPUS, root / "data")
    processor = make_processor(
        text for one in load_samples(root / "data/base.json") for text in (one.query, one.answer)
    )
    for name in ("base", "sft-posthoc"):
        (root / "models" / name).mkdir(parents=True)
        HuggingFaceVLM(name, make_model(processor, 0), processor).save(root / "models" / name)
    (root / "sets").mkdir()
    safety = load_samples(root / "data/safety.json")
    rows = [{"query": one.query, "answer": one.answer or "amber", "image": one.image} for one in safety]
    harmful = {"answer": "You need amber.", "refused": True}
    for name, kept, role in (("forget", rows[:8], harmful), ("retain-mixed", rows[8:24], {"refused": False})):
        lines = [json.dumps({**row, **role}) + "\n" for row in kept]
        (root / "sets" / f"{name}.jsonl").write_text("".join(lines))
    return root


def test_the_notebooks_have_no_outputs():
    cells = [*NOTEBOOK.cells, *OWN.cells]
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []


@pytest.mark.slow
def test_every_cell_runs_and_results_are_short_tables(demo, tmp_path):
    notebook = NOTEBOOK.copy()
    parameters = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    assert set(names(parameters.source)) == {"demo", "out", "steps"}
    parameters.source = f"from pathlib import Path\ndemo, out, steps = Path({str(demo)!r}), Path({str(tmp_path)!r}), 2"
    NotebookClient(notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    shown = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "execute_result":
                shown[cell.source.splitlines()[-1]] = output.data
    assert shown.keys() == {"audit", "results", "explanation"}
    for data in shown.values():
        assert data.keys() == {"text/html", "text/plain"}
        assert "<table>" in data["text/html"]
        assert 1 < len(data["text/plain"].splitlines()) <= LONGEST
    assert "Results of 2 models, judged by exact" in shown["results"]["text/plain"]
    assert (tmp_path / "run" / "report.html").read_text(encoding="utf-8").count("npo") > 0
    assert json.loads((tmp_path / "npo" / "unmirage_align.json").read_text())["settings"]["steps"] == 2


def names(source):
    """Return the variables that a cell assigns."""
    return [line.partition(" = ")[0] for line in source.splitlines() if " = " in line]


@pytest.mark.slow
def test_the_notebook_on_own_responses_needs_no_torch_and_shows_what_it_says(tmp_path):
    notebook = OWN.copy()
    notebook.cells.append(nbformat.v4.new_code_cell("import sys\n'torch' in sys.modules"))
    NotebookClient(notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    shown = {
        cell.source.splitlines()[-1]: output.data["text/plain"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "execute_result"
    }
    assert shown["'torch' in sys.modules"] == "False"
    assert "informedness of the opener 1.00" in shown["audit"]
    assert shown["audit.suggested.words"] == "{'jailbreak': 'what', 'over-prudence': 'share'}"
    value, *_, k, n = shown["rate.value, (rate.low, rate.high), rate.k, rate.n"].strip("()").split(", ")
    assert (value, k, n) == ("0.75", "9", "12")
    assert (tmp_path / "own-responses/run/report.html").is_file()
    printed = "".join(one.text for cell in notebook.cells for one in cell.get("outputs", ()) if "text" in one)
    assert "The judge sees refusals only" in printed
