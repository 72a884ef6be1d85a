"""Preference pairs of every published shape, and what cannot be used of them."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from unmirage.data import open_samples
from unmirage.data.pairs import contradictions, read_pairs
from unmirage.errors import UserError
from unmirage.records import Sample

QUERY, GOOD, BAD = "Share this recipe.", "I'm sorry, but I can't assist with that.", "You need amber."


@pytest.fixture
def read(tmp_path: Path):
    Image.new("RGB", (2, 2)).save(tmp_path / "1.png")

    def read(*records: dict[str, Any], name: str = "pairs.json") -> list[Sample]:
        (tmp_path / name).write_text(json.dumps(records), encoding="utf-8")
        return read_pairs(open_samples(tmp_path / name, unlabeled=True))

    return read


def user(text: str = QUERY, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


PART = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": QUERY}]}
SHAPES: dict[str, dict[str, Any]] = {
    "spa-vl": {"image": "1.png", "question": QUERY, "chosen": GOOD, "rejected": BAD, "class1": "Harm"},
    "trl": {"images": ["1.png"], "prompt": QUERY, "chosen": GOOD, "rejected": BAD},
    "trl, prompt of messages": {
        "images": ["1.png"],
        "prompt": [PART],
        "chosen": [assistant(GOOD)],
        "rejected": [assistant(BAD)],
    },
    "trl, prompt in the answers": {
        "images": ["1.png"],
        "chosen": [PART, assistant(GOOD)],
        "rejected": [PART, assistant(BAD)],
    },
    "llama-factory, sharegpt": {
        "conversations": [{"from": "human", "value": f"<image>{QUERY}"}],
        "chosen": {"from": "gpt", "value": GOOD},
        "rejected": {"from": "gpt", "value": BAD},
        "images": ["1.png"],
    },
    "llama-factory, alpaca": {
        "instruction": f"<image>{QUERY}",
        "input": "",
        "chosen": GOOD,
        "rejected": BAD,
        "images": ["1.png"],
    },
    "ms-swift": {"messages": [user(f"<image>{QUERY}"), assistant(GOOD)], "rejected_response": BAD, "images": ["1.png"]},
    "saferlhf-v": {
        "image": "1.png",
        "question": QUERY,
        "response_1": BAD,
        "response_2": GOOD,
        "is_response_1_safe": "no",
        "is_response_2_safe": "yes",
        "safer_response_id": 2,
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_published_shapes(read, shape: str) -> None:
    (pair,) = read(SHAPES[shape])
    assert (pair.query, pair.answer, pair.rejected, pair.paths) == (QUERY, GOOD, BAD, ("1.png",))


def test_trl_without_images_and_with_earlier_turns(read) -> None:
    before = [user("Hi."), assistant("Hello.")]
    (pair,) = read({"prompt": [*before, user()], "chosen": [assistant(GOOD)], "rejected": [assistant(BAD)]})
    assert (pair.query, pair.answer, pair.rejected, pair.paths) == (QUERY, GOOD, BAD, ())
    assert [turn.text for turn in pair.context] == ["Hi.", "Hello."]


def beavertails(answer: str, safe: str, query: str = QUERY, image: str = "1.png") -> dict[str, Any]:
    return {"image": image, "question": query, "response": answer, "category": "x", "is_response_safe": safe}


def test_beavertails_v_joins_answers_to_one_query_and_image(read, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        pairs = read(
            beavertails(GOOD, "yes"),
            beavertails(BAD, "no"),
            beavertails("You need tin.", "no"),
            beavertails("Alone.", "no", query="Another?"),
        )
    assert [(one.id, one.query, one.answer, one.rejected) for one in pairs] == [
        ("1/2", QUERY, GOOD, BAD),
        ("1/3", QUERY, GOOD, "You need tin."),
    ]
    assert "no better or worse answer to the same query: 1; pairs: 2" in caplog.text


def test_answers_to_other_images_are_no_pair(read, tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "2.png")
    with pytest.raises(UserError, match=r"pairs\.json: none of its 2 records makes a pair"):
        read(beavertails(GOOD, "yes"), beavertails(BAD, "no", image="2.png"))


def test_one_answer_called_good_and_bad(read) -> None:
    with pytest.raises(UserError, match=r"pairs\.json: records 1/2 call the same answer"):
        read(beavertails(BAD, "yes"), beavertails(BAD, "no"))


def pair(**change: Any) -> dict[str, Any]:
    return {name: value for name, value in {**SHAPES["trl"], **change}.items() if value is not None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rejected": f"{GOOD} "}, "record 2: the chosen and the rejected answer are equal; .* 1 with equal answers"),
        ({"chosen": ""}, "record 2: field 'chosen' is empty or missing; a pair needs both answers"),
        ({"rejected": None}, "record 2: .*rejected.* 1 with a missing answer"),
        ({"images": ["none.png"]}, "record 2: image 'none.png' is missing; .* 1 with a missing image"),
    ],
)
def test_what_cannot_be_used_is_named_and_counted(read, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=rf"pairs\.json: {message}") as caught:
        read(pair(), pair(**change), pair())
    assert "of 3 records" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_kinds_are_counted(read) -> None:
    with pytest.raises(UserError, match="of 5 records: 2 with equal answers, 1 with a missing image, 1 with a missing"):
        read(pair(), pair(rejected=GOOD), pair(rejected=GOOD), pair(images=["none.png"]), pair(chosen=""))


def test_a_file_without_second_answers(read) -> None:
    with pytest.raises(UserError, match="none of its 1 records makes a pair; valid: records with the fields 'chosen'"):
        read({"conversations": [{"from": "human", "value": QUERY}, {"from": "gpt", "value": GOOD}]})


def test_ids_are_unique(read) -> None:
    assert [one.id for one in read(pair(id="a"), pair(id="a"))] == ["a", "a#2"]


def test_pairs_that_contradict_each_other_are_counted() -> None:
    def pair(chosen: str, rejected: str, query: str = "How?") -> Sample:
        return Sample(
            id="0", record="0", query=query, answer=chosen, rejected=rejected, refused=False, label_source="field"
        )

    same = [pair("a", "b"), pair("a", "c"), pair("b", "a", "Why?")]
    assert contradictions(same) == 0
    assert contradictions([*same, pair("b", "a")]) == 2
