"""The commands of docs/reproduce-paper.md with the authors' attack sets and VLGuard's texts, on a tiny model."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from unmirage.run import existing_run

ROOT = Path(__file__).parents[2]
PAPER = ROOT / ".." / "shared" / "data" / "field" / "paper"
SETS = {"jailbreak": "test_what_3shot.json", "over-prudence": "test_share_1shot.json"}
UNSAFE, SAFE = 442, 556
pytestmark = pytest.mark.skipif(not PAPER.is_dir(), reason="the authors' attack sets are not here")


@pytest.fixture
def vlguard(tmp_path, monkeypatch):
    """Return the working folder of the page, with a `test.json` of the records that the authors' sets are about."""
    monkeypatch.chdir(tmp_path)
    what, share = (json.loads((PAPER / name).read_text("utf-8")) for name in SETS.values())
    records = list({record["id"]: record for record in [*what, *share]}.values())
    (tmp_path / "vlguard/test").mkdir(parents=True)
    (tmp_path / "vlguard/test.json").write_text(json.dumps(records))
    page = (ROOT / "docs/reproduce-paper.md").read_text("utf-8")
    (script,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "test-paper.json" in block]
    exec(compile(script, "reproduce-paper.md", "exec"), {})  # the page's own script writes test-paper.json
    return tmp_path


@pytest.fixture
def attack(unmirage, tiny):
    """Return a function that runs the page's attack with the authors' sets."""

    def run(*more, model=tiny.model):
        given = [f"--queries={kind}={PAPER / name}" for kind, name in SETS.items()]
        paper = ("vlguard/test-paper.json", "--images", "vlguard/test", "--out", "run-prebuilt")
        return unmirage("attack", model, *paper, "--kind", "jailbreak,over-prudence", *given, *more)

    return run


def test_the_script_of_the_page_keeps_one_pair_of_each_record(vlguard):
    records = json.loads((vlguard / "vlguard/test-paper.json").read_text())
    assert [len(record["instr-resp"]) for record in records] == [1] * (UNSAFE + SAFE)


def test_both_sets_are_planned_with_their_shots_and_words(vlguard, attack):
    code, out, err = attack("--dry-run")
    assert code == 0, err
    note = "test_share_1shot.json: over-prudence uses the queries of answered samples only; 556 of 1,112 are skipped"
    assert note in err
    assert "audit" not in err  # the words are those of the sets
    queries = json.loads(out)["queries"]
    kinds = [(one["kind"], one["id"].rpartition("|")[2]) for one in queries]
    assert {key: kinds.count(key) for key in kinds} == {
        ("plain", "0"): UNSAFE + SAFE,
        **{("jailbreak", str(shot)): UNSAFE for shot in range(3)},
        ("over-prudence", "0"): SAFE,
    }
    # Shots in the order of the authors' file.
    first, *_ = json.loads((PAPER / SETS["jailbreak"]).read_text("utf-8"))
    texts = [pair["instruction"] for one in json.loads((PAPER / SETS["jailbreak"]).read_text("utf-8"))
             for pair in one["instr-resp"] if one["id"] == first["id"]]  # fmt: skip
    assert [one["text"] for one in queries if one["id"].startswith(f"{first['id']}|jailbreak|")] == texts


def test_without_pictures_one_line_says_what_to_do(vlguard, attack):
    code, _, err = attack()
    assert code == 2
    *_, last = err.strip().splitlines()
    assert "vlguard/test: 998 of 998 images are missing, such as 'bad_ads/" in last
    assert last.endswith("Pass their folder with --images.")
    assert not (vlguard / "run-prebuilt").exists()


def test_the_run_is_judged_and_reported_with_its_note(vlguard, attack, unmirage):
    for record in json.loads((vlguard / "vlguard/test.json").read_text()):
        path = vlguard / "vlguard/test" / record["image"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), "red").save(path, format="PNG")
    code, _, err = attack("--max-new-tokens", "2", "--limit", "12")
    assert code == 0, err
    config = existing_run(vlguard / "run-prebuilt").config()
    assert (config["attack"]["jailbreak_word"], config["attack"]["over_prudence_word"]) == ("what", "share")
    note = "test_share_1shot.json: over-prudence uses the queries of answered samples only; 556 of 1,112 are skipped"
    assert config["notes"] == [note]
    code, out, err = unmirage("evaluate", "run-prebuilt", "--judge", "phrases", "--json")
    assert code == 0, err
    assert json.loads(out)["warnings"][0] == note
    assert unmirage("report", "run-prebuilt", "--redact")[0] == 0
    assert f"Warning: {note}." in (vlguard / "run-prebuilt/report.html").read_text()
