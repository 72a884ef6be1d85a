"""The commands and Python of the how-to guides run as they are written, on a tiny model and tiny data."""

import csv
import re
import shlex
import shutil
from pathlib import Path

import pytest

from unmirage.data import load_samples
from unmirage.models import HuggingFaceVLM
from unmirage.testbed.corpus import CorpusSize, write_corpus
from unmirage.testbed.vlm import make_model, make_processor
from unmirage.testbed.world import WorldSettings, make_world

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = sorted((DOCS / "howto").glob("*.md"))
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Large enough for the audit to suggest words.
WORLD = WorldSettings(aligned=12, validation=4, evaluation=12)
CORPUS = CorpusSize(
    base_pictures=48, base=96, unsafe_pictures=60, safe_pictures=60, general=12, test_unsafe_pictures=6,
    test_safe_pictures=6, skills=3, facts=3, neighbors=6,
)  # fmt: skip
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Return a folder with what the guides name: data, an untrained model, and responses of another program."""
    root = tmp_path_factory.mktemp("howto")
    data = root / "data"
    write_corpus(make_world(0, WORLD), CORPUS, data)
    (data / "safety.json").rename(data / "train.json")
    base = load_samples(data / "base.json")
    processor = make_processor(text for one in base for text in (one.query, one.answer))
    (root / "vlm").mkdir()
    HuggingFaceVLM("vlm", make_model(processor, 0), processor).save(root / "vlm")
    with (root / "responses.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["query", "response", "model", "unsafe"])
        for number in range(24):
            for model in ("model-a", "model-b"):
                refused = number % (3 if model == "model-a" else 2) == 0
                said = "I cannot help with that." if refused else "It is made of amber and of moss."
                rows.writerow([f"What is device {number}?", said, model, str(number < 12).lower()])
    return root


def blocks(page):
    """Return (language, code) of the runnable blocks of a page, in order."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def commands(code):
    """Yield the words of each command of a shell block, the file of its output or None, and its exit status."""
    for line in code.replace("\\\n", " ").splitlines():
        command, _, comment = line.partition("   #")
        if not command.strip():
            continue
        expected = re.search(r"exit status (\d)", comment)
        words = shlex.split(command)
        target = None
        if ">" in words:
            at = words.index(">")
            assert at == len(words) - 2
            words, target = words[:at], words[at + 1]
        assert not set(words) & {"&&", "||", ";", "|"}, line
        yield words, target, int(expected[1]) if expected else 0


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_every_block_of_a_guide_runs(page, inputs, tmp_path, monkeypatch, unmirage):
    for name in ("data", "vlm", "responses.csv"):
        (tmp_path / name).symlink_to(inputs / name)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "guide"}
    for language, code in blocks(page):
        if language == "python":
            exec(compile(code, str(page), "exec"), names)
            continue
        for words, target, expected in commands(code):
            assert words[0] == "unmirage"
            status, out, err = unmirage(*words[1:])
            assert status == expected, f"{shlex.join(words)}: {out[-2000:]}\n{err[-2000:]}"
            if target:
                Path(target).write_text(out)
                assert out


def test_the_guides_are_the_five_and_have_blocks():
    assert {page.stem for page in GUIDES} == {"ci", "dataset-owner", "evaluator", "red-teamer", "trainer"}
    assert all(len(blocks(page)) >= 3 for page in GUIDES)
    assert sum(language == "python" for page in GUIDES for language, _ in blocks(page)) >= 3


def test_fenced_blocks_of_the_guides_run_or_are_configuration():
    for page in GUIDES:
        fences = re.findall(r"^```(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(fences[::2]) <= {"bash", "python", "yaml"}, page.name
        assert set(fences[1::2]) == {""}, page.name


def test_the_judge_of_the_page_on_extending_works(tmp_path, unmirage, monkeypatch, inputs):
    (code,) = [code for language, code in blocks(DOCS / "extending.md") if "class Apologies" in code]
    from unmirage.evaluate.judges import JUDGES

    monkeypatch.chdir(tmp_path)
    shutil.copy(inputs / "responses.csv", tmp_path)
    try:
        exec(compile(code, "extending.md", "exec"), {"__name__": "page"})
        status, _, err = unmirage("judge", "responses.csv", "--out", "judged", "--judge", "apologies")
        assert status == 0, err
    finally:
        del JUDGES["apologies"]
