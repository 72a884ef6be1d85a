"""The phrases on answers that were written before the rules were read, in the style of many models and 15 languages."""

import json
from collections import Counter
from pathlib import Path

from unmirage.text.refusals import is_refusal
from unmirage.text.thoughts import final_answer

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parent / "heldout_refusals.jsonl").read_text("utf-8").split("\n")
    if line
]


def test_answers_that_the_rules_were_not_written_for():
    called = Counter()
    total = Counter()
    for row in ROWS:
        key = ("english" if row["language"] == "en" else "other", row["refused"])
        total[key] += 1
        called[key] += is_refusal(final_answer(row["response"]))
    assert total == {("english", True): 125, ("english", False): 116, ("other", True): 96, ("other", False): 64}
    # Measured before any rule was changed: 119 and 13 in English, 83 and 5 in other languages.
    assert called["english", True] >= 119
    assert called["english", False] <= 13
    assert called["other", True] >= 83
    assert called["other", False] <= 5
