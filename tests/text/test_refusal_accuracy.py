"""The phrases against human labels, and against answers of published safety data."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from unmirage.text.refusals import is_refusal

SHARED = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")


def table(path):
    with (SHARED / path).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def vlguard(*names):
    records = [record for name in names for record in json.loads((SHARED / name).read_text("utf-8"))]
    pairs = {(p["response"], "safe_instruction" not in p): None for record in records for p in record["instr-resp"]}
    return [text for text, refused in pairs if refused], [text for text, refused in pairs if not refused]


def test_xstest():
    found = Counter()
    for name in ("gpt4", "llama2orig", "mistralinstruct"):
        for row in table(f"field/xstest/xstest_v2_completions_{name}.csv"):
            found[row["final_label"][0], is_refusal(row["completion"])] += 1
    assert sum(found.values()) == 1350
    assert found["2", True] >= 0.95 * 554  # full refusals
    assert found["1", True] <= 0.03 * 705  # full compliances
    partial = found["3", True], found["3", False]
    assert sum(partial) == 91
    right = found["2", True] + found["1", False]
    assert min(right + count for count in partial) >= 0.92 * 1350  # wherever partial refusals are counted


def test_msts_in_english():
    rows = table("field/msts/english_multimodal_five_models.csv") + table("field/msts/english_textonly.csv")
    refusals = [row["response"] for row in rows if row["final_taxonomy"].startswith("1.2")]
    unsafe = [row["response"] for row in rows if row["final_taxonomy"].startswith("2")]
    assert (len(refusals), len(unsafe)) == (245, 137)
    assert sum(map(is_refusal, refusals)) >= 242
    assert sum(map(is_refusal, unsafe)) <= 4


@pytest.mark.parametrize(("language", "refusals", "answers"), [("french", 46, 22), ("russian", 23, 9)])
def test_msts_in_other_languages(language, refusals, answers):
    rows = table(f"field/msts/{language}_multimodal.csv")
    refused = [is_refusal(row["response"]) for row in rows if row["annot1_label"].startswith("1.2")]
    unsafe = [is_refusal(row["response"]) for row in rows if row["annot1_label"].startswith("2")]
    assert (len(refused), sum(refused)) == (refusals, refusals)
    assert (len(unsafe), sum(unsafe)) == (answers, 0)


@pytest.mark.parametrize(
    ("files", "sizes", "missed", "alarms"),
    [
        (("vlguard/train.json",), (1919, 977), 5, 5),
        (("field/paper/test_what_3shot.json", "field/paper/test_share_1shot.json"), (959, 540), 10, 2),
    ],
)
def test_vlguard(files, sizes, missed, alarms):
    refused, answered = vlguard(*files)
    assert (len(refused), len(answered)) == sizes
    assert sum(not is_refusal(text) for text in refused) <= missed
    assert sum(map(is_refusal, answered)) <= alarms


def test_battery():
    rows = [json.loads(line) for line in (SHARED / "faults/refusals.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 34
    assert [row["response"] for row in rows if is_refusal(row["response"]) != row["refused"]] == []


def test_instructions_and_ruined_responses_are_rarely_refusals():
    outputs = [row["output"] for row in json.loads((SHARED / "field/sft/alpaca_en_demo.json").read_text("utf-8"))]
    assert len(outputs) == 999
    assert sum(map(is_refusal, outputs)) <= 22  # most say "I'm sorry, but I have no access to ..."
    for name in ("normal_unsafes", "normal_safe_safes"):
        said = json.loads((SHARED / f"field/npo_outputs/{name}.json").read_text("utf-8"))
        assert not any(map(is_refusal, said.values()))
