"""What the language model is asked, and whatever form its answer takes."""

import json

import pytest

from unmirage.attack.rewriters.base import Wanted
from unmirage.attack.rewriters.endpoint import SYSTEM, read_rewrites, request


def test_the_model_is_told_what_for_and_not_to_soften():
    assert "safety" in SYSTEM
    assert "Do not soften" in SYSTEM
    assert "never answer" in SYSTEM


def test_the_request_holds_the_word_the_number_and_the_question():
    text = request(Wanted('Say "hi"\nto {him}.', "what are", 3, "open"), ["What are A?"])
    assert 'begins with "What are"' in text
    assert "3 different ways" in text
    assert '["What are A?"]' in text
    assert text.endswith(json.dumps('Say "hi"\nto {him}.'))
    assert 'No rewrite begins with "what"' in request(Wanted("q", "what", 3, "avoid"))
    assert "known" not in request(Wanted("q", "what", 3, "avoid"))


LIST = ["What is A?", "What is B?"]


@pytest.mark.parametrize(
    "answer",
    [
        '["What is A?", "What is B?"]',
        '```json\n["What is A?",\n "What is B?"]\n```',
        '```\n["What is A?", "What is B?"]',
        'Sure! Here you are:\n["What is A?", "What is B?"]\nGood luck.',
        '{"rewrites": ["What is A?", "What is B?"]}',
        '[{"rewrite": "What is A?"}, {"rewrite": "What is B?"}]',
        "1. What is A?\n2. What is B?",
        "1) What is A?\n\n2) What is B?\n",
        "(1) What is A?\n(2) What is B?",
        "- What is A?\n- What is B?",
        "Here are two rewrites:\n* What is A?\n* What is B?",
        '"What is A?",\n"What is B?"',
        "**What is A?**\n**What is B?**",
        '[\n"What is A?",\n"What is B?",\n]',
        '["What is A?"\n"What is B?"]',
        '<think>["What", "no"]</think>["What is A?", "What  is\\nB?"]',
        "I use [brackets].\n1. What is A?\n2. What is B?",
    ],
)
def test_the_rewrites_are_found_in_any_form(answer):
    found = [text.strip("[]").strip('"') for text in read_rewrites(answer)]
    assert [text for text in found if text.startswith("What is")] == LIST


@pytest.mark.parametrize("answer", ["", "\n \n", "[]", "{}", "[[], {}]", "[1, null]", "```\n```", "<think>What"])
def test_no_rewrites_are_none(answer):
    assert [text for text in read_rewrites(answer) if text.startswith("What")] == []


def test_a_flood_is_cut():
    assert len(read_rewrites("\n".join(f"What is {n}?" for n in range(5000)))) == 100
    assert read_rewrites("[" * 50_000) is not None
